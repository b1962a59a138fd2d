"""Adam in one pass over each weight."""

import keras


@keras.saving.register_keras_serializable(package="kattention")
class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, with one TensorFlow kernel for each weight's step.

    For the gradient `g` of step `t` and `a = rate * sqrt(1 - b2^t) / (1 - b1^t)`:

        m <- b1 m + (1 - b1) g
        v <- b2 v + (1 - b2) g^2
        w <- w - a m / (sqrt(v) + epsilon)

    Keras runs about ten operations for this, each of which reads and writes a
    tensor of the weight's size. The results are equal but for rounding, with
    one exception: for rows of an embedding that a batch reads more than once,
    Keras 3.15 squares the summands of the gradient, and this class their sum.
    On other backends, under a `tf.distribute` strategy and with `amsgrad` it
    falls back to Keras's own operations.

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

        # Keras has no public access to the moments for subclasses.
        index = self._get_variable_index(variable)
        moments = self._momentums[index], self._velocities[index]
        # Dense, for embeddings too: the moments of rows that were not read decay
        # as well.
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
