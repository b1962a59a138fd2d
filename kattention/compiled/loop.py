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
        self._layout = _Layout()

    def __call__(self, operands, fixed, steps):
        """Runs a number of steps.

        Args:
            operands: `Operands`.
            fixed: `Fixed`.
            steps: How many. What follows in `T` is padding, and 0 in what is
                returned. The step count is dynamic: changing it does not
                recompile.

        Returns:
            `(states, outputs)`: the states after each step and the outputs,
            lists of `(T, B, ...)`. They have gradients.
        """
        steps = tf.convert_to_tensor(steps)  # a number would be compiled in

        @tf.custom_gradient
        def run(*tensors):
            # An eager tape would look into the compiled functions.
            tensors = [tf.stop_gradient(tensor) for tensor in tensors]
            whole = tf.nest.pack_sequence_as(operands, tensors)
            stacks = self._forward(whole, fixed, steps)

            def gradient(*upstreams):
                found = self._gradients(whole, fixed, steps, stacks, upstreams)
                return tf.nest.flatten(found)

            return tuple(stacks[: self._layout.shown]), gradient

        shown, layout = run(*tf.nest.flatten(operands)), self._layout
        states = [
            # What was compiled does not tell its static shapes.
            tf.ensure_shape(shown[place], [None, *initial.shape])
            for place, initial in zip(layout.states, operands.states, strict=True)
        ]
        return states, [shown[place] for place in layout.outputs]

    def _run_forward(self, operands, fixed, steps):
        """Stacks what is returned, then what the way back needs."""

        def body(t, states):
            tools = _Forward(operands, fixed, t)
            new, outputs = _where_valid(self._step, tools, states)
            return new, self._layout.arrange(states, new, outputs, tools)

        length = tf.shape(operands.offset)[0]
        return _over_steps(body, list(operands.states), steps, length)[1]

    def _run_backward(self, operands, turned, fixed, steps, before, saved, upstreams):
        """Goes back through the steps.

        Returns the gradients of the initial states and of the constants, and
        stacks of the gradients of each affine map and of what was read."""
        layout = self._layout

        def body(t, carry):
            d_states, d_constants = carry
            states = [stack[t] for stack in before]
            kept = [[stack[t] for stack in group] for group in saved]
            tools = _Backward(operands, turned, fixed, t, kept)
            with tf.GradientTape() as tape:
                tape.watch([states, operands.constants, tools.offset])
                new, outputs = _where_valid(self._step, tools, states)
            arrived = [upstream[t] for upstream in upstreams]
            for place, d_state in zip(layout.states, d_states, strict=True):
                arrived[place] += d_state
            d_states, found = tape.gradient(
                layout.unique(new, outputs), [states, operands.constants], arrived
            )
            d_states = [
                tf.zeros_like(state) if d is None else d
                for d, state in zip(d_states, states, strict=True)
            ]
            # A constant that no step reads keeps its zeros.
            found = tf.nest.map_structure(
                lambda total, own: total if own is None else total + own,
                *(d_constants, found),
            )
            return [d_states, found], layout.record(tools)

        carry = [list(operands.states), operands.constants]
        zeros = tf.nest.map_structure(tf.zeros_like, carry)
        length = tf.shape(before[0])[0]
        return _over_steps(body, zeros, steps, length, reverse=True)

    def _gradients(self, operands, fixed, steps, stacks, upstreams):
        """The gradients of all operands, as `Operands`."""
        layout = self._layout
        before = [
            tf.concat([initial[None], stacks[place][:-1]], 0)
            for initial, place in zip(operands.states, layout.states, strict=True)
        ]
        # Once, not at every step, and out of XLA's sight, which would undo it.
        turned = tf.nest.map_structure(tf.transpose, operands.kernels)
        # A compiled call holds what it is given: no more than it reads.
        read = operands._replace(offset=operands.offset[:1], kernels={})
        saved = [[stacks[place] for place in group] for group in layout.saved]
        (d_states, d_constants), recorded = self._backward(
            read, turned, fixed, steps, before, saved, upstreams
        )
        d = {name: recorded[place] for name, place in layout.gradients.items()}
        inputs = {
            name: [(before if is_state else stacks)[place] for is_state, place in own]
            for name, own in layout.inputs.items()
        }
        d_value = []
        if operands.value:
            d_value = [tf.einsum("tbs,tbd->bsd", *inputs[READ], d[READ])]
        return Operands(
            states=d_states,
            offset=d[layout.offset],
            kernels={
                name: [_outer(stack, d[name]) for stack in inputs[name]]
                for name in operands.kernels
            },
            biases={name: tf.reduce_sum(d[name], [0, 1]) for name in operands.biases},
            value=d_value,
            constants=d_constants,
        )


# The name of what `read` does, beside those of the affine maps.
READ = "read"


class _Tools:
    """What a step computes with: its part of all operands."""

    def __init__(self, operands, fixed, time):
        self.operands = operands
        self.constants = operands.constants
        self.fixed = fixed.constants
        self.by_step = {name: part[time] for name, part in fixed.by_step.items()}
        self.valid = None if isinstance(fixed.valid, tuple) else fixed.valid[time]


class _Forward(_Tools):
    """Computes, and remembers what the way back needs."""

    def __init__(self, operands, fixed, time):
        super().__init__(operands, fixed, time)
        self.offset = operands.offset[time]
        self.inputs, self.saved, self.offset_name = {}, [], None

    def affine(self, name, inputs, offset=False):
        """Returns the sum of `x K` over inputs and their kernels, plus the bias.

        Args:
            name: The name of the kernels and the bias in the operands.
            inputs: A list of `x`, `(B, I)`.
            offset: Whether to add this step's projected inputs.
        """
        self.inputs[name] = inputs
        total = self.operands.biases[name]
        if offset:
            self.offset_name = name
            total = self.offset + total
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
        self.saved.append(values)
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

    def affine(self, name, inputs, offset=False):
        depth = self.operands.biases[name].shape[0]

        @tf.custom_gradient
        def placeholder(*_):
            def gradient(upstream):
                self.gradients[name] = upstream
                d_inputs = [upstream @ kernel for kernel in self.turned[name]]
                return [*d_inputs, upstream] if offset else d_inputs

            return self._zeros(depth), gradient

        return placeholder(*inputs, *([self.offset] if offset else []))

    def keep(self, function, gradient, *inputs):
        values = next(self.kept)

        @tf.custom_gradient
        def placeholder(*_):
            return [tf.identity(value) for value in values], gradient

        return list(placeholder(*inputs))

    def read(self, weights):
        value = self.operands.value[0]

        @tf.custom_gradient
        def placeholder(_):
            def gradient(upstream):
                self.gradients[READ] = upstream
                return tf.linalg.matvec(value, upstream)

            return self._zeros(value.shape[-1]), gradient

        return placeholder(weights)

    def gradient_of(self, name):
        """What was recorded; zeros where nothing depends on the map."""
        if name in self.gradients:
            return self.gradients[name]
        return self._zeros(self.operands.biases[name].shape[0])


class _Layout:
    """Where in the stacks each result of a step stands.

    Tensors that are the same object are stacked once. The step is traced before
    its stacks are read, and every trace finds the same.
    """

    def arrange(self, before, new, outputs, tools):
        """Takes down the results of a step; returns what to stack."""
        unique = _Unique()
        self.states = [unique.place(tensor) for tensor in new]
        self.outputs = [unique.place(tensor) for tensor in outputs]
        self.shown = len(unique.tensors)
        self.saved = [[unique.place(tensor) for tensor in g] for g in tools.saved]
        states = {id(tensor): place for place, tensor in enumerate(before)}
        # For each map the places of its inputs, among the states before the step
        # or among the stacks.
        self.inputs = {
            name: [
                (True, states[id(x)]) if id(x) in states else (False, unique.place(x))
                for x in inputs
            ]
            for name, inputs in tools.inputs.items()
        }
        self.offset = tools.offset_name
        return unique.tensors

    def unique(self, new, outputs):
        """What `arrange` puts first: the states and outputs that are returned."""
        unique = _Unique()
        for tensor in (*new, *outputs):
            unique.place(tensor)
        return unique.tensors

    def record(self, tools):
        """Takes down the gradients of a step's maps; returns what to stack."""
        unique = _Unique()
        self.gradients = {
            name: unique.place(tools.gradient_of(name)) for name in self.inputs
        }
        return unique.tensors


class _Unique:
    """Tensors in order, each object once."""

    def __init__(self):
        self.tensors = []

    def place(self, tensor):
        for place, known in enumerate(self.tensors):
            if known is tensor:
                return place
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def _where_valid(step, tools, states):
    """Takes a step; the states stay as they are where it is not valid."""
    new, outputs = step(tools, states)
    if tools.valid is not None:
        new = [
            tf.where(tf.reshape(tools.valid, [-1] + [1] * (len(a.shape) - 1)), a, b)
            for a, b in zip(new, states, strict=True)
        ]
    return new, outputs


def _over_steps(body, carry, steps, length, reverse=False):
    """Runs `body(t, carry) -> carry, results` for `steps` of `length` places.

    Returns:
        The last carry and the results, stacked: `(length, ...)`.
    """
    # This call only tells the number and dtypes of the results; its operations are
    # pruned.
    _, results = body(tf.constant(0), carry)
    stacks = [tf.TensorArray(result.dtype, length) for result in results]

    def loop_body(i, carry, stacks):
        carry, results = body(steps - 1 - i if reverse else i, carry)
        t = steps - 1 - i if reverse else i
        stacks = [s.write(t, r) for s, r in zip(stacks, results, strict=True)]
        return i + 1, carry, stacks

    _, carry, stacks = tf.while_loop(
        lambda i, *_: i < steps,
        loop_body,
        (0, carry, stacks),
        maximum_iterations=length,
    )
    return carry, [stack.stack() for stack in stacks]


def _outer(left, right):
    """Sum over all steps and rows of left (T, B, M) times right (T, B, N)."""
    left = tf.reshape(left, [-1, left.shape[-1]])
    right = tf.reshape(right, [-1, right.shape[-1]])
    return tf.matmul(left, right, transpose_a=True)
