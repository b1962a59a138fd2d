"""TensorFlow Addons' decoders (on TensorFlow 2.15)."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
import tensorflow_addons as tfa
from pairs import batches
from tfa_network import Model
from worker import serve


def build(case):
    model, width = Model(case), case["beam"]
    sources = [tf.constant(source) for source, _, _ in batches(case)]
    model([sources[0], sources[0]])  # makes the weights
    if width == 1:
        decoder = tfa.seq2seq.BasicDecoder(
            model.cell,
            tfa.seq2seq.GreedyEmbeddingSampler(),
            output_layer=model.logits,
            maximum_iterations=case["target"],
        )
    else:
        decoder = tfa.seq2seq.BeamSearchDecoder(
            model.cell,
            width,
            output_layer=model.logits,
            maximum_iterations=case["target"],
        )

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def translate(source):
        rows = tf.shape(source)[0]
        memory, lengths, start = tfa.seq2seq.tile_batch(model.encode(source), width)
        model.mechanism.setup_memory(memory, lengths)
        state = model.cell.get_initial_state(
            batch_size=rows * width, dtype=tf.float32
        ).clone(cell_state=start)
        found, _, _ = decoder(
            model.target.embeddings,
            start_tokens=tf.fill([rows], 2),
            end_token=-1,  # none ends early
            initial_state=state,
        )
        return found.sample_id if width == 1 else found.predicted_ids

    return lambda: [translate(source).numpy() for source in sources]


serve(build)
