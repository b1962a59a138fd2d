"""The translation model, from ids to logits, with the functional API.

Shapes: B batch, S source tokens, T target tokens, E embedding, D units.
"""

import keras
from keras import layers

import kattention


def build_model(preset, source_vocabulary, target_vocabulary, attention="bahdanau"):
    """Assembles an untrained `kattention.Seq2Seq`.

    Args:
        preset: A `Preset`.
        source_vocabulary: Number of source subwords.
        target_vocabulary: Number of target subwords.
        attention: `"bahdanau"`, or `"none"` for the control: the same decoder
            with the encoder's final state as a constant context.
    """
    source_embedding = build_embedding(source_vocabulary, preset)
    target_embedding = source_embedding
    if not preset.shared_vocabulary:
        target_embedding = build_embedding(target_vocabulary, preset)
    return kattention.Seq2Seq(
        source_embedding,
        build_encoder(preset),
        target_embedding,
        build_decoder(preset, attention),
        build_readout(preset),
        logits=None,  # the target embedding, read backwards
        packed=True,
        name="translation",
    )


def build_embedding(vocabulary, preset):
    """Ids `(B, T)` -> vectors `(B, T, E)`, and back to logits."""
    return layers.ReversibleEmbedding(
        vocabulary,
        preset.embedding,
        # Vectors of length 1: Keras's default is too short to learn fast.
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=preset.embedding**-0.5
        ),
        # The largest products of a step. The weights stay as they are.
        reverse_dtype="bfloat16" if preset.bfloat16 else None,
    )


def build_encoder(preset):
    """Vectors `(B, S, E)` -> `[states (B, S, D), s_0 (B, D)]`."""
    vectors = keras.Input((None, preset.embedding), name="source_vectors")
    # Whole words first: the decoder has to make do without them.
    dropped = layers.Dropout(preset.word_dropout, noise_shape=(None, None, 1))(vectors)
    dropped = layers.Dropout(preset.embedding_dropout)(dropped)
    one_direction = kattention.FastRNN(
        layers.GRUCell(preset.units // 2),
        return_sequences=True,
        return_state=True,
        fast="auto" if preset.compiled else False,
    )
    states, _, backward = layers.Bidirectional(one_direction)(dropped)
    # The backward GRU ends at the first word, where a translation begins.
    start = layers.Dense(preset.units, activation="tanh", name="s_0")(backward)
    states = layers.LayerNormalization()(states)
    states = layers.Dropout(preset.memory_dropout)(states)
    return keras.Model(vectors, [states, start], name="encoder")


def build_decoder(preset, attention):
    """Vectors `(B, T, E)` and memory `(B, S, D)` -> `(B, T, 2 * D)`."""
    mechanism = (
        kattention.BahdanauAttention(
            preset.attention_units, dropout=preset.attention_dropout
        )
        if attention == "bahdanau"
        else kattention.FixedContext()
    )
    cells = [layers.GRUCell(preset.units)]
    if preset.attend == "between":
        cells.append(layers.GRUCell(preset.units))
    cell = kattention.AttentionDecoder(cells, mechanism, attend=preset.attend)
    return kattention.AttentionRNN(
        cell,
        return_sequences=True,
        # Beside the logits, for a loss of their own.
        return_attention_scores=preset.guided_alignment > 0,
        fast="auto" if preset.compiled else False,
        name="decoder",
    )


def build_readout(preset):
    """Decoder outputs `(B, T, 2 * D)` and vectors `(B, T, E)` -> `(B, T, E)`."""
    outputs = keras.Input((None, 2 * preset.units), name="decoder_outputs")
    vectors = keras.Input((None, preset.embedding), name="target_vectors")
    joined = layers.Concatenate()([outputs, vectors])
    features = layers.Dense(preset.embedding, activation="tanh")(joined)
    features = layers.Dropout(preset.readout_dropout)(features)
    return keras.Model([outputs, vectors], features, name="readout")
