"""Adam in one pass over each weight."""

import keras


@keras.saving.register_keras_serializable(package="kattention")
class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, each weight's step of which TensorFlow takes in one kernel.

    For the gradient `g` of step `t` and `a = rate * sqrt(1 - b2^t) / (1 - b1^t)`:

        m <- b1 m + (1 - b1) g
        v <- b2 v + (1 - b2) g^2
        w <- w - a m / (sqrt(v) + epsilon)

    Keras reads and writes tensors of a weight's size some ten times for it,
    which counts where a step is short. Equal to Keras's but for rounding, and
    for rows of an embedding that a batch reads more than once: their gradient
    is a sum, of which Keras 3.15 takes the squares one by one. It is Keras's
    where that kernel does not serve: on the other backends, under a
    `tf.distribute` strategy, and with `amsgrad`.

    Args:
        As `keras.optimizers.Adam`.

    Example:

        model.compile(kattention.training.FusedAdam(1e-3), TokenCrossentropy())

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization"
    (2015), section 2.
    """

    def update_step(self, gradient, variable, learning_rate):
        if not self._has_kernel():
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        # A subclass has no public way to what `build` has added.
        index = self._get_variable_index(variable)
        moments = self._momentums[index], self._velocities[index]
        # The rows of an embedding as a whole: those that were not read forget a
        # little as well.
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        step = tf.cast(self.iterations + 1, gradient.dtype)
        beta_1 = tf.cast(self.beta_1, gradient.dtype)
        beta_2 = tf.cast(self.beta_2, gradient.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].value.handle,
            v=moments[1].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, gradient.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, gradient.dtype),
            grad=gradient,
        )

    def _has_kernel(self):
        if self.amsgrad or keras.backend.backend() != "tensorflow":
            return False
        import tensorflow as tf

        return not tf.distribute.has_strategy()
