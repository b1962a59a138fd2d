"""An attention layer on JAX, compiled, forwards and backwards."""

import os

os.environ["KERAS_BACKEND"] = "jax"
# Programs that take turns share one accelerator.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

import jax
from attention_layers import attention
from device import jax_peak
from worker import serve


def build(case):
    layer, query, value = attention(case)
    weights = [variable.value for variable in layer.variables]

    @jax.jit
    def step(query, value):
        def total(query, value):
            context, _ = layer.stateless_call(weights, [], query, value, training=True)
            return (context**2).sum()

        return jax.grad(total, argnums=(0, 1))(query, value)

    return lambda: jax.block_until_ready(step(query, value))


serve(build, jax_peak)
