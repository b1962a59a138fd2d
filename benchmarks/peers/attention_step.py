"""One round of an attention layer: outputs and gradients of its inputs."""


def build_step(tf, case, attend):
    query = tf.random.normal((case["batch"], case["target"], case["depth"]))
    value = tf.random.normal((case["batch"], case["source"], case["depth"]))
    attend(query[:, :2], value[:, :2])  # makes the weights

    @tf.function
    def step(query, value):
        with tf.GradientTape() as tape:
            tape.watch([query, value])
            total = tf.reduce_sum(attend(query, value) ** 2)
        return tape.gradient(total, [query, value])

    return lambda: step(query, value)[0].numpy()
