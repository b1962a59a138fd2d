import keras
import numpy as np
import pytest

from kattention.training import FusedAdam

STEPS = 20


def weights_after(optimizer, **compiled):
    """Weights and moments of a model after some steps, rows left untouched too."""
    keras.utils.set_random_seed(1)
    ids = keras.Input((4,), dtype="int32")
    vectors = keras.layers.Embedding(9, 5)(ids)
    label = keras.layers.Dense(2, activation="tanh")(vectors)
    model = keras.Model(ids, label)
    model.compile(optimizer, "mse", **compiled)
    rng = np.random.default_rng(1)
    # No id twice in a batch: the squares of its gradients are not that of their sum.
    ids = rng.permuted(np.tile(np.arange(7), (STEPS, 1)), axis=1)[:, :4]
    model.fit(ids, rng.normal(size=(STEPS, 4, 2)), batch_size=1, verbose=0)
    moments = [keras.ops.convert_to_numpy(one) for one in optimizer.variables]
    return model, model.get_weights() + moments


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"global_clipnorm": 0.1, "weight_decay": 0.01},
        {"use_ema": True, "ema_momentum": 0.9},
        {"amsgrad": True},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)},
    ],
    ids=lambda options: "-".join(options) or "defaults",
)
def test_it_is_the_adam_of_keras(options):
    options = {"learning_rate": 0.01, **options}
    _, expected = weights_after(keras.optimizers.Adam(**options))
    _, found = weights_after(FusedAdam(**options))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compiled", [{"run_eagerly": True}, {"jit_compile": True}])
def test_eagerly_and_compiled(compiled):
    _, expected = weights_after(keras.optimizers.Adam(0.01))
    _, found = weights_after(FusedAdam(0.01), **compiled)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_loaded_model_goes_on(tmp_path):
    model, _ = weights_after(FusedAdam(0.01))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is FusedAdam
    ids, labels = np.ones((1, 4), "int32"), np.ones((1, 4, 2))
    for one in (model, loaded):
        one.train_on_batch(ids, labels)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow"
)


@needs_tensorflow
def test_it_works_under_a_strategy():
    import tensorflow as tf

    _, expected = weights_after(keras.optimizers.Adam(0.01))
    with tf.distribute.MirroredStrategy(["cpu:0"]).scope():
        _, found = weights_after(FusedAdam(0.01))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@needs_tensorflow
def test_a_graph_holds_the_kernel():
    import tensorflow as tf

    weight, optimizer = keras.Variable(np.ones(3, "float32")), FusedAdam()
    optimizer.build([weight])
    step = tf.function(lambda: optimizer.apply([tf.ones([3])]))
    operations = step.get_concrete_function().graph.get_operations()
    assert [one.type for one in operations].count("ResourceApplyAdam") == 1


@needs_tensorflow
def test_a_row_that_is_read_twice_has_the_sum_of_its_gradients():
    import tensorflow as tf

    rows, ids = tf.constant([[1.0], [2.0], [-4.0]]), tf.constant([0, 1, 0])
    sparse = tf.IndexedSlices(rows, ids, dense_shape=tf.constant([3, 1]))
    found = []
    for optimizer, gradient in [
        (FusedAdam(), sparse),
        (keras.optimizers.Adam(), tf.constant([[-3.0], [2.0], [0.0]])),
    ]:
        weight = keras.Variable(np.ones([3, 1], "float32"))
        for _ in range(3):
            optimizer.apply([gradient], [weight])
        found.append(keras.ops.convert_to_numpy(weight))
    np.testing.assert_allclose(*found, rtol=1e-5)
