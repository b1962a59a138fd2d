"""TensorFlow Addons' AttentionWrapper (on TensorFlow 2.15)."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"


import tensorflow as tf
import tensorflow_addons as tfa
from pairs import batches
from worker import serve

layers = tf.keras.layers


class Model(tf.keras.Model):
    def __init__(self, case):
        super().__init__()
        self.source = layers.Embedding(case["vocabulary"], case["embedding"])
        self.target = layers.Embedding(case["vocabulary"], case["embedding"])
        self.encoder = layers.Bidirectional(
            layers.GRU(case["encoder"], return_sequences=True, return_state=True)
        )
        self.start = layers.Dense(case["units"], activation="tanh")
        self.mechanism = tfa.seq2seq.BahdanauAttention(case["attention"])
        self.cell = tfa.seq2seq.AttentionWrapper(
            layers.GRUCell(case["units"]),
            self.mechanism,
            attention_layer=layers.Dense(case["readout"], activation="tanh"),
        )
        self.decoder = tfa.seq2seq.BasicDecoder(
            self.cell, tfa.seq2seq.TrainingSampler()
        )
        self.logits = layers.Dense(case["vocabulary"])

    def call(self, inputs):
        source, target = inputs
        valid = tf.not_equal(source, 0)
        memory, _, backward = self.encoder(self.source(source), mask=valid)
        lengths = tf.reduce_sum(tf.cast(valid, tf.int32), -1)
        self.mechanism.setup_memory(memory, lengths)
        state = self.cell.get_initial_state(
            batch_size=tf.shape(source)[0], dtype=tf.float32
        ).clone(cell_state=self.start(backward))
        steps = tf.fill([tf.shape(source)[0]], tf.shape(target)[1])
        found, _, _ = self.decoder(
            self.target(target), initial_state=state, sequence_length=steps
        )
        return self.logits(found.rnn_output)


def build(case):
    tf.keras.utils.set_random_seed(1)
    model, optimizer = Model(case), tf.keras.optimizers.Adam()
    ids = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[ids, ids, ids])
    def step(source, inputs, labels):
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, model([source, inputs])
            )
            valid = tf.cast(tf.not_equal(labels, 0), tf.float32)
            loss = tf.reduce_sum(each * valid) / tf.reduce_sum(valid)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    found = [[tf.constant(part) for part in one] for one in batches(case)]

    def run():
        for one in found:
            loss = step(*one)
        loss.numpy()

    return run


serve(build)
