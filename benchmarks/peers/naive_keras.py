"""What people write on Keras today: a cell that closes over the memory."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
from keras import layers, ops
from keras_fit import fitting
from worker import serve


class Cell(layers.Layer):
    def __init__(self, units, attention, depth):
        super().__init__()
        self.cell = layers.GRUCell(units)
        self.query = layers.Dense(attention, use_bias=False)
        self.score = layers.Dense(1, use_bias=False)
        self.state_size, self.output_size = units, units + depth

    def build(self, shape):
        units, depth = self.state_size, self.output_size - self.state_size
        self.cell.build((None, shape[-1] + depth))
        self.query.build((None, units))
        self.score.build((None, None, self.query.units))

    def call(self, inputs, states):
        hidden = ops.tanh(self.query(states[0])[:, None] + self.keys)
        score = self.score(hidden)[..., 0] + self.bias
        weights = ops.softmax(score)
        context = ops.sum(weights[..., None] * self.memory, axis=1)
        output, states = self.cell(ops.concatenate([inputs, context], -1), states)
        return ops.concatenate([output, context], -1), states


class Model(keras.Model):
    def __init__(self, case):
        super().__init__()
        self.source = layers.Embedding(case["vocabulary"], case["embedding"])
        self.target = layers.Embedding(case["vocabulary"], case["embedding"])
        self.encoder = layers.Bidirectional(
            layers.GRU(case["encoder"], return_sequences=True, return_state=True)
        )
        self.start = layers.Dense(case["units"], activation="tanh")
        self.keys = layers.Dense(case["attention"], use_bias=False)
        self.cell = Cell(case["units"], case["attention"], 2 * case["encoder"])
        self.decoder = layers.RNN(self.cell, return_sequences=True)
        self.readout = layers.Dense(case["readout"], activation="tanh")
        self.logits = layers.Dense(case["vocabulary"])

    def call(self, inputs):
        source, target = inputs
        mask = ops.not_equal(source, 0)
        memory, _, backward = self.encoder(self.source(source), mask=mask)
        self.cell.memory, self.cell.keys = memory, self.keys(memory)
        self.cell.bias = ops.where(mask, 0.0, -1e9)
        outputs = self.decoder(self.target(target), initial_state=self.start(backward))
        return self.logits(self.readout(outputs))


def loss(y_true, y_pred):
    each = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
    valid = ops.cast(ops.not_equal(y_true, 0), each.dtype)
    return ops.sum(each * valid) / ops.sum(valid)


def build(case):
    keras.utils.set_random_seed(1)
    model = Model(case)
    model.compile("adam", loss, jit_compile=False)
    return fitting(model, case)


serve(build)
