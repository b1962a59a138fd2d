"""The network that all peers build, with TensorFlow Addons."""

import tensorflow as tf
import tensorflow_addons as tfa

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
        memory, lengths, start = self.encode(source)
        self.mechanism.setup_memory(memory, lengths)
        state = self.cell.get_initial_state(
            batch_size=tf.shape(source)[0], dtype=tf.float32
        ).clone(cell_state=start)
        steps = tf.fill([tf.shape(source)[0]], tf.shape(target)[1])
        found, _, _ = self.decoder(
            self.target(target), initial_state=state, sequence_length=steps
        )
        return self.logits(found.rnn_output)

    def encode(self, source):
        valid = tf.not_equal(source, 0)
        memory, _, backward = self.encoder(self.source(source), mask=valid)
        lengths = tf.reduce_sum(tf.cast(valid, tf.int32), -1)
        return memory, lengths, self.start(backward)
