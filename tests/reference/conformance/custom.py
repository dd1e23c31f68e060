"""Custom operators: detections, spectrograms, and those of MediaPipe, which LiteRT does not have.

Left out: several classes per box with the regular TFLite_Detection_PostProcess, which leaves as many rows
unwritten; AudioSpectrogram of several channels, of which LiteRT takes the second with samples of the first;
classes and scores of boxes that were not found, which the fast TFLite_Detection_PostProcess leaves as they were;
boxes with equal scores, whose order LiteRT leaves to the sorting.
"""
import struct

import numpy as np
from flatbuffers import flexbuffers

from suite import Case, Const

rng = np.random.default_rng(14)


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def custom(code, inputs, outputs, attributes, name, **more):
    if isinstance(attributes, dict):
        builder = flexbuffers.Builder()
        builder.MapFromElements(attributes)
        attributes = bytes(builder.Finish())
    return Case("CUSTOM", inputs, outputs, name=f"{code} {name}", custom_code=code, custom_options=attributes,
                **more)


def detections():
    for number, (regular, boxes, classes, background, per_box, most) in enumerate([
            (True, 30, 3, 1, 1, 10), (True, 30, 4, 0, 1, 5), (True, 12, 2, 1, 1, 40), (True, 20, 3, 1, 1, 4),
            (False, 30, 3, 1, 1, 10), (False, 30, 4, 0, 2, 5), (False, 40, 2, 1, 2, 3)]):
        scores = rng.permutation(boxes * (classes + background)).reshape(1, boxes, -1)
        scores = (scores / scores.size).astype("f4")
        attributes = {
            "max_detections": most, "max_classes_per_detection": per_box, "nms_score_threshold": 0.25,
            "nms_iou_threshold": 0.3 + number / 20, "num_classes": classes, "y_scale": 10.0, "x_scale": 10.0,
            "h_scale": 5.0, "w_scale": 5.0, "use_regular_nms": regular}
        if number % 2:
            attributes["detections_per_class"] = 3
        anchors = np.concatenate([rng.uniform(0, 1, (boxes, 2)), rng.uniform(0.1, 0.4, (boxes, 2))], 1)
        anchors = anchors.astype("f4")
        extra = 2 * (number % 2)
        inputs = [values(1, boxes, 4 + extra), scores, Const(anchors) if number % 3 else anchors]
        text = f"{'regular' if regular else 'fast'} {boxes} boxes {classes} classes {per_box} per box"
        yield custom("TFLite_Detection_PostProcess", inputs, ["f4"] * 4, attributes, text)


def spectrograms():
    for window, stride, samples, squared in [(16, 8, 64, True), (16, 8, 64, False), (25, 10, 100, True),
                                             (8, 12, 50, False), (2, 1, 5, True), (400, 160, 800, True)]:
        attributes = {"window_size": window, "stride": stride, "magnitude_squared": squared}
        yield custom("AudioSpectrogram", [values(samples, 1)], ["f4"], attributes,
                     f"{window} each {stride} of {samples} squared {squared}")
    for bins, rate, lower, upper, bands, coefficients in [
            (33, 16000, 20, 4000, 10, 5), (129, 16000, 20, 4000, 40, 13), (65, 8000, 0, 3900, 20, 20),
            (65, 8000, 100, 5000, 8, 3)]:
        attributes = {"lower_frequency_limit": lower, "upper_frequency_limit": upper,
                      "filterbank_channel_count": bands, "dct_coefficient_count": coefficients}
        for late in [False, True]:
            number = np.array([rate], "i4")
            spectra = np.abs(values(2, 3, bins))
            spectra[0, 0] = 0
            yield custom("Mfcc", [spectra, number if late else Const(number)], ["f4"], attributes,
                         f"{bins} bins {rate} Hz {lower} to {upper}" + " late" * late)


def transposed(params):
    padding, stride_x, stride_y = params

    def reference(x, filter_, bias):
        n, taps_y, taps_x, _ = filter_.shape

        def axis(size, taps, stride):
            cut = max(0, taps - (size - 1) % stride - 1) if padding == 1 else 0
            return stride * (size - 1) + taps - cut, cut // 2

        (height, top), (width, left) = axis(x.shape[1], taps_y, stride_y), axis(x.shape[2], taps_x, stride_x)
        out = np.zeros((x.shape[0], height, width, n)) + bias
        for (y, x_, ty, tx) in np.ndindex(*x.shape[1:3], taps_y, taps_x):
            oy, ox = y * stride_y + ty - top, x_ * stride_x + tx - left
            if 0 <= oy < height and 0 <= ox < width:
                out[:, oy, ox] += x[:, y, x_].astype("f8") @ filter_[:, ty, tx].T
        return [out.astype("f4")]
    return reference


def windows(params, size):
    """For each output position: where it starts, and the padding, as TFLite's ComputePadding."""
    padding, stride_x, stride_y, taps_x, taps_y, _ = params
    out = []
    for n, taps, stride in [(size[0], taps_y, stride_y), (size[1], taps_x, stride_x)]:
        count = -(-n // stride) if padding == 1 else (n - taps + stride) // stride
        out.append((count, max(0, (count - 1) * stride + taps - n) // 2, taps, stride))
    return out


def argmax_pool(params):
    def reference(x):
        (h, top, taps_y, stride_y), (w, left, taps_x, stride_x) = windows(params, x.shape[1:3])
        best = np.full((x.shape[0], h, w, x.shape[3]), np.finfo("f4").min, "f4")
        place = np.full(best.shape, 0.1, "f4")
        for (y, x_, ty, tx) in np.ndindex(h, w, taps_y, taps_x):
            iy, ix = y * stride_y + ty - top, x_ * stride_x + tx - left
            if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
                better = x[:, iy, ix] > best[:, y, x_]
                best[:, y, x_] = np.where(better, x[:, iy, ix], best[:, y, x_])
                place[:, y, x_] = np.where(better, np.float32(ty * taps_x + tx) + np.float32(0.1), place[:, y, x_])
        return [np.maximum(best, 0) if params[5] == 1 else best, place]
    return reference


def unpool(params):
    padding, stride_x, stride_y, taps_x, taps_y, _ = params

    def reference(x, indices):
        n, h, w, c = x.shape
        size = (h * taps_y, w * taps_x)
        if indices.dtype == np.int32:
            size = (h * stride_y, w * stride_x) if padding == 1 else (
                (h - 1) * stride_y + taps_y, (w - 1) * stride_x + taps_x)
            out = np.zeros((n, size[0] * size[1] * c), "f4")
            for at in np.ndindex(*x.shape):
                out[at[0], indices[at]] = x[at]
            return [out.reshape(n, *size, c)]
        out = np.zeros((n, *size, c), "f4")
        top = max(0, (h - 1) * stride_y + taps_y - size[0]) // 2
        left = max(0, (w - 1) * stride_x + taps_x - size[1]) // 2
        for at in np.ndindex(*x.shape):
            place = int(indices[at])
            y, x_ = at[1] * stride_y - top + place // taps_x, at[2] * stride_x - left + place % taps_x
            out[at[0], y, x_, at[3]] = x[at]
        return [out]
    return reference


def mediapipe():
    for padding in [1, 2]:
        for taps, stride in [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((4, 4), (2, 2)), ((3, 2), (1, 3))]:
            params = (padding, stride[1], stride[0])
            filter_, bias = values(5, *taps, 3), values(5)
            late = padding == 1 and taps == (3, 3)
            inputs = [values(2, 4, 5, 3)] + [v if late else Const(v) for v in (filter_, bias)]
            yield custom("Convolution2DTransposeBias", inputs, ["f4"], struct.pack("<3i", *params),
                         f"{taps} stride {stride} padding {padding}", reference=transposed(params))
        for taps, stride in [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((3, 3), (3, 3))]:
            params = (padding, stride[1], stride[0], taps[1], taps[0], padding - 1)
            attributes = struct.pack("<10i", *params, 0, 0, 0, 0)
            x = rng.permutation(2 * 6 * 7 * 3).reshape(2, 6, 7, 3).astype("f4") - 50
            name = f"{taps} stride {stride} padding {padding}"
            yield custom("MaxPoolingWithArgmax2D", [x], ["f4", "f4"], attributes, name,
                         reference=argmax_pool(params))
            place = rng.integers(0, taps[0] * taps[1], (2, 3, 4, 2)).astype("f4") + np.float32(0.1)
            yield custom("MaxUnpooling2D", [values(2, 3, 4, 2), place], ["f4"], attributes, name,
                         reference=unpool(params))
            size = (3 * stride[0], 4 * stride[1]) if padding == 1 else (
                2 * stride[0] + taps[0], 3 * stride[1] + taps[1])
            place = np.stack([rng.permutation(size[0] * size[1] * 2)[:24].reshape(3, 4, 2) for _ in range(2)])
            yield custom("MaxUnpooling2D", [values(2, 3, 4, 2), place.astype("i4")], ["f4"], attributes,
                         f"{name} in the image", reference=unpool(params))


def cases():
    return [*detections(), *spectrograms(), *mediapipe()]
