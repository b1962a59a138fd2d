"""One loop over steps with a gradient of its own, compiled (TensorFlow).

Autodiff through a loop keeps every tensor of every step and adds up the
gradients of all weights step by step. This loop keeps only what a step names by
`tools.keep`. On the way back it computes the rest of the step again, under a
tape over that step alone. The gradients of weights in `tools.affine` are left to
one large product after the loop.
"""

from typing import NamedTuple

import tensorflow as tf


class Operands(NamedTuple):
    """Everything that a loop reads and has a gradient for.

    Attributes:
        states: The initial states, a list of tensors with B rows.
        offset: The projected inputs of all steps, `(T, B, G)`.
        kernels: For each name of an affine map the list of its kernels.
        biases: For each name its bias.
        value: What `Tools.read` sums, `[(B, S, D)]`, or `[]`.
        constants: Any nest of tensors that are the same at each step.
    """

    states: list
    offset: tf.Tensor
    kernels: dict
    biases: dict
    value: list
    constants: dict


class Fixed(NamedTuple):
    """What a loop reads and has no gradient for.

    Attributes:
        valid: Booleans `(T, B, 1)`, True where the states move on; or `()`.
        by_step: Tensors `(T, B, ...)`, of which a step gets its own.
        constants: Tensors that are the same at each step.
    """

    valid: tf.Tensor | tuple = ()
    by_step: dict = {}  # noqa: RUF012, never written to
    constants: dict = {}  # noqa: RUF012


class Loop:
    """Runs a step over time.

    Args:
        step: `(tools, states) -> (states, outputs)`, lists of tensors with B
            rows. It is pure, but for the tools: it makes products with weights
            by `tools.affine`, sums values by `tools.read`, and passes the
            results of both through `tools.keep` before it uses them in anything
            but a sum.
    """

    def __init__(self, step):
        self._step = step
        compiled = {"jit_compile": True, "autograph": False}
        # Functions of this object's own: TensorFlow counts the traces of a method
        # over all objects, and warns of many.
        self._forward = tf.function(lambda *a: self._run_forward(*a), **compiled)
        self._backward = tf.function(lambda *a: self._run_backward(*a), **compiled)

    def __call__(self, operands, fixed, steps):
        """Runs a number of steps.

        Args:
            operands: `Operands`.
            fixed: `Fixed`.
            steps: How many. What follows in `T` is padding, and 0 in what is
                returned. The step count is dynamic: changing it does not
                recompile.

        Returns:
            `(states, outputs)`: the final states, and the outputs of all steps,
            `(T, B, ...)`. They have gradients.
        """
        steps = tf.convert_to_tensor(steps)  # a number would be compiled in

        @tf.custom_gradient
        def run(*tensors):
            # An eager tape would look into the compiled functions.
            tensors = [tf.stop_gradient(tensor) for tensor in tensors]
            whole = tf.nest.pack_sequence_as(operands, tensors)
            final, outputs, saved = self._forward(whole, fixed, steps)

            def gradient(*upstreams):
                upstreams = upstreams[: len(final)], upstreams[len(final) :]
                found = self._gradients(whole, fixed, steps, saved, upstreams)
                return tf.nest.flatten(found)

            return (*final, *outputs), gradient

        returned, count = run(*tf.nest.flatten(operands)), len(operands.states)
        final = [
            # What was compiled does not tell its static shapes.
            tf.ensure_shape(state, initial.shape)
            for state, initial in zip(returned, operands.states, strict=False)
        ]
        return final, list(returned[count:])

    def _run_forward(self, operands, fixed, steps):
        """Returns the final states, the outputs, and what the way back needs."""

        def body(t, states):
            tools = _Forward(operands, fixed, t)
            new, outputs = self._step(tools, states)
            new = tools.where_valid(new, states)
            return new, (outputs, (new, tools.kept, tools.inputs))

        length = tf.shape(operands.offset)[0]
        carry = list(operands.states)
        final, (outputs, saved) = _over_steps(body, carry, steps, length)
        return final, outputs, saved

    def _run_backward(self, operands, turned, fixed, steps, before, kept, upstreams):
        """Goes back through the steps.

        Returns the gradients of the initial states and of the constants, and
        stacks of the gradients of each affine map and of what was read."""
        d_final, d_outputs = upstreams

        def body(t, carry):
            d_states, d_constants = carry
            states = [stack[t] for stack in before]
            tools = _Backward(operands, turned, fixed, t, kept)
            with tf.GradientTape() as tape:
                tape.watch([states, operands.constants, tools.offset])
                new, outputs = self._step(tools, states)
                results = tools.where_valid(new, states), outputs
            arrived = d_states, [upstream[t] for upstream in d_outputs]
            d_states, found = tape.gradient(
                results, [states, operands.constants], arrived
            )
            d_states = [
                tf.zeros_like(state) if d is None else d
                for d, state in zip(d_states, states, strict=True)
            ]
            # A constant that no step reads keeps its zeros.
            found = tf.nest.map_structure(
                lambda total, d: total if d is None else total + d, d_constants, found
            )
            return [d_states, found], tools.all_gradients()

        zeros = tf.nest.map_structure(tf.zeros_like, operands.constants)
        length = tf.shape(before[0])[0]
        return _over_steps(body, [list(d_final), zeros], steps, length, reverse=True)

    def _gradients(self, operands, fixed, steps, saved, upstreams):
        """The gradients of all operands, as `Operands`."""
        states, kept, inputs = saved
        before = [
            tf.concat([initial[None], stack[:-1]], 0)
            for initial, stack in zip(operands.states, states, strict=True)
        ]
        # Once, not at every step, and out of XLA's sight, which would undo it.
        turned = tf.nest.map_structure(tf.transpose, operands.kernels)
        # A compiled call holds what it is given: no more than it reads.
        read = operands._replace(offset=operands.offset[:1], kernels={})
        (d_states, d_constants), d = self._backward(
            read, turned, fixed, steps, before, kept, upstreams
        )
        d_value = []
        if operands.value:
            d_value = [tf.einsum("tbs,tbd->bsd", *inputs[READ], d[READ])]
        return Operands(
            states=d_states,
            offset=d[OFFSET],
            kernels={
                name: [_outer(stack, d[name]) for stack in inputs[name]]
                for name in operands.kernels
            },
            biases={name: tf.reduce_sum(d[name], [0, 1]) for name in operands.biases},
            value=d_value,
            constants=d_constants,
        )


# The name of what `read` does, and of the affine map that adds the offset.
READ, OFFSET = "read", "input 0"


class _Tools:
    """What a step computes with: its part of all operands."""

    def __init__(self, operands, fixed, time):
        self.operands = operands
        self.constants = operands.constants
        self.fixed = fixed.constants
        self.time = time
        self.by_step = {name: part[time] for name, part in fixed.by_step.items()}
        self.valid = None if isinstance(fixed.valid, tuple) else fixed.valid[time]

    def where_valid(self, new, old):
        """The new states, or the old ones where this step is not valid."""
        if self.valid is None:
            return new
        return [
            tf.where(tf.reshape(self.valid, [-1] + [1] * (len(a.shape) - 1)), a, b)
            for a, b in zip(new, old, strict=True)
        ]


class _Forward(_Tools):
    """Computes, and remembers what the way back needs."""

    def __init__(self, operands, fixed, time):
        super().__init__(operands, fixed, time)
        self.inputs, self.kept = {}, []

    def affine(self, name, inputs):
        """Returns the sum of `x K` over inputs and their kernels, plus the bias.

        Args:
            name: The name of the kernels and the bias in the operands. The map
                `OFFSET` adds the projected inputs of this step too.
            inputs: A list of `x`, `(B, I)`.
        """
        self.inputs[name] = inputs
        total = self.operands.biases[name]
        if name == OFFSET:
            total = self.operands.offset[self.time] + total
        for x, kernel in zip(inputs, self.operands.kernels[name], strict=True):
            total = x @ kernel + total
        return total

    def keep(self, function, gradient, *inputs):
        """Returns `function(*inputs)`, and keeps it for the way back.

        Args:
            function: From tensors to a list of tensors.
            gradient: From the gradients of the results to those of the inputs.
            *inputs: Tensors.
        """
        values = function(*inputs)
        self.kept.append(values)
        return values

    def read(self, weights):
        """Returns the sum `(B, D)` of the values with weights `(B, S)`."""
        self.inputs[READ] = [weights]
        return tf.matmul(weights[:, None], self.operands.value[0])[:, 0]


class _Backward(_Tools):
    """Returns what was kept in place of computing it, and records gradients.

    On the way back `affine` and `read` return zeros. A step must pass their
    results through `keep`, which returns the kept values, before it uses them
    in anything but a sum: the gradients would be wrong otherwise.
    """

    def __init__(self, operands, turned, fixed, time, kept):
        super().__init__(operands, fixed, time)
        self.turned = turned
        self.kept = iter(kept)
        self.gradients = {}
        self.rows = tf.shape(operands.states[0])[0]
        # It has the gradient of the affine map that adds it. Watching it makes the
        # tape compute that gradient even if the map has no other input.
        self.offset = self._zeros(operands.offset.shape[-1])

    def _zeros(self, depth):
        return tf.zeros([self.rows, depth], self.operands.offset.dtype)

    def affine(self, name, inputs):
        depth, offset = self.operands.biases[name].shape[0], name == OFFSET

        @tf.custom_gradient
        def placeholder(*_):
            def gradient(upstream):
                self.gradients[name] = upstream
                d_inputs = [upstream @ kernel for kernel in self.turned[name]]
                return [*d_inputs, upstream] if offset else d_inputs

            return self._zeros(depth), gradient

        return placeholder(*inputs, *([self.offset] if offset else []))

    def keep(self, function, gradient, *inputs):
        values = [stack[self.time] for stack in next(self.kept)]

        @tf.custom_gradient
        def placeholder(*_):
            return [tf.identity(value) for value in values], gradient

        return list(placeholder(*inputs))

    def read(self, weights):
        value = self.operands.value[0]

        @tf.custom_gradient
        def placeholder(*_):
            def gradient(upstream):
                self.gradients[READ] = upstream
                return tf.linalg.matvec(value, upstream), None

            return self._zeros(value.shape[-1]), gradient

        # Weights may be constant, so the tape needs something else that it watches.
        return placeholder(weights, self.offset)

    def all_gradients(self):
        """What was recorded, with zeros for maps that nothing depends on."""
        zeros = {
            name: self._zeros(bias.shape[0])
            for name, bias in self.operands.biases.items()
            if name not in self.gradients
        }
        return {**zeros, **self.gradients}


def _over_steps(body, carry, steps, length, reverse=False):
    """Runs `body(t, carry) -> carry, results` for `steps` of `length` places.

    Returns:
        The last carry and the results, nested tensors, stacked: `(length, ...)`.
    """
    # Traced on its own, for the structure and dtypes of the results: in this graph
    # the step would be compiled twice.
    trace = tf.function(lambda: body(tf.constant(0), carry)[1], autograph=False)
    example = trace.get_concrete_function().structured_outputs
    stacks = [tf.TensorArray(part.dtype, length) for part in tf.nest.flatten(example)]

    def loop_body(i, carry, stacks):
        t = steps - 1 - i if reverse else i
        carry, results = body(t, carry)
        parts = zip(stacks, tf.nest.flatten(results), strict=True)
        return i + 1, carry, [stack.write(t, part) for stack, part in parts]

    _, carry, stacks = tf.while_loop(
        lambda i, *_: i < steps,
        loop_body,
        (0, carry, stacks),
        maximum_iterations=length,
    )
    stacked = [stack.stack() for stack in stacks]
    return carry, tf.nest.pack_sequence_as(example, stacked)


def _outer(left, right):
    """Sum over all steps and rows of left (T, B, M) times right (T, B, N)."""
    left = tf.reshape(left, [-1, left.shape[-1]])
    right = tf.reshape(right, [-1, right.shape[-1]])
    return tf.matmul(left, right, transpose_a=True)
