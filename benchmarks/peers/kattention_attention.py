"""`kattention.BahdanauAttention` over whole sequences, forwards and backwards."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from attention_step import build_step
from worker import serve

import kattention


def build(case):
    layer = kattention.BahdanauAttention(case["units"])

    def attend(query, value):
        return layer(query, value, training=True)

    return build_step(tf, case, attend)


serve(build)
