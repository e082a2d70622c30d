"""Writes the models of the bench: graphs of the shapes in use, with seeded random weights.

    models.py FOLDER FRAMES    the models into FOLDER/<name>/{model.onnx,passport.toml}

`FRAMES` is a folder of JPEG files: the detectors' class biases are set so that about thirty of their candidates pass a
confidence of 0.25 on them, as on a usual picture, and decoding the boxes is real work. No weight is anybody's, nothing is
detected or recognised: the models cost what their shapes cost. Packages: onnx, numpy, onnxruntime, opencv-python-headless.
"""

import hashlib
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SILU_GAIN = 1.79  # keeps the variance of x * sigmoid(x) at one for a normal x
RELU_GAIN = 1.71  # the same for max(x, 0)
SPREAD = 1.2  # the standard deviation of the detectors' class scores before the sigmoid
CLASSES = 80
CONFIDENCE = 0.25
CANDIDATES = 30  # that pass on a usual picture


class Graph:
    """A graph under construction: nodes in order, weights drawn from one seed."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def node(self, kind, inputs, outputs=1, name=None, **attributes):
        self.count += 1
        names = [name or f"t{self.count}"] if outputs == 1 else [f"t{self.count}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind.lower()}_{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        self.count += 1
        name = f"w{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def conv(self, x, cin, cout, kernel=1, stride=1, groups=1, gain=1.0, bias=0.0):
        """A convolution of zero mean and a variance scaled by its inputs, batch normalisation already folded in."""
        fan_in = cin // groups * kernel * kernel
        weight = self.random.normal(0, gain / math.sqrt(fan_in), (cout, cin // groups, kernel, kernel))
        weight = (weight - weight.mean(axis=(1, 2, 3), keepdims=True) * (fan_in > 1)).astype(np.float32)
        biases = np.broadcast_to(np.float32(bias), (cout,)).copy()
        pads = [kernel // 2] * 4
        inputs = [x, self.constant(weight), self.constant(biases)]
        return self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=groups)

    def save(self, path, inputs, outputs):
        graph = helper.make_graph(self.nodes, path.parent.name, [value(*i) for i in inputs], [value(*o) for o in outputs],
                                  self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="kenpin-bench")
        model.ir_version = 8
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return sum(math.prod(weight.dims) for weight in self.weights)


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class Yolo(Graph):
    """The published topology of YOLOv8 at its nano width (0.25) and depth (0.33), detection head with 80 classes."""

    def cbs(self, x, cin, cout, kernel=1, stride=1):
        x = self.conv(x, cin, cout, kernel, stride, gain=SILU_GAIN)
        return self.node("Mul", [x, self.node("Sigmoid", [x])])

    def c2f(self, x, cin, cout, repeats, shortcut):
        half = cout // 2
        parts = self.node("Split", [self.cbs(x, cin, cout), self.constant(np.array([half, half]))], 2, axis=1)
        for _ in range(repeats):
            inner = self.cbs(self.cbs(parts[-1], half, half, 3), half, half, 3)
            parts.append(self.node("Add", [parts[-1], inner]) if shortcut else inner)
        return self.cbs(self.node("Concat", parts, axis=1), (2 + repeats) * half, cout)

    def sppf(self, x, channels):
        steps = [self.cbs(x, channels, channels // 2)]
        for _ in range(3):
            steps.append(self.node("MaxPool", [steps[-1]], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
        return self.cbs(self.node("Concat", steps, axis=1), channels * 2, channels)

    def twice(self, x):
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")

    def body(self, x):
        """Backbone and neck: three feature maps at strides 8, 16 and 32."""
        x = self.cbs(self.cbs(x, 3, 16, 3, 2), 16, 32, 3, 2)
        x = self.cbs(self.c2f(x, 32, 32, 1, True), 32, 64, 3, 2)
        fine = self.c2f(x, 64, 64, 2, True)
        middle = self.c2f(self.cbs(fine, 64, 128, 3, 2), 128, 128, 2, True)
        coarse = self.sppf(self.c2f(self.cbs(middle, 128, 256, 3, 2), 256, 256, 1, True), 256)
        up = self.c2f(self.node("Concat", [self.twice(coarse), middle], axis=1), 384, 128, 1, False)
        at8 = self.c2f(self.node("Concat", [self.twice(up), fine], axis=1), 192, 64, 1, False)
        at16 = self.c2f(self.node("Concat", [self.cbs(at8, 64, 64, 3, 2), up], axis=1), 192, 128, 1, False)
        at32 = self.c2f(self.node("Concat", [self.cbs(at16, 128, 128, 3, 2), coarse], axis=1), 384, 256, 1, False)
        return [(at8, 64), (at16, 128), (at32, 256)]

    def branch(self, x, cin, width, cout, gain, bias):
        return self.conv(self.cbs(self.cbs(x, cin, width, 3), width, width, 3), width, cout, gain=gain, bias=bias)

    def head(self, maps, side, class_gain, class_bias):
        """Box distances by distribution over 16 bins, class scores by sigmoid, as one [1, 84, candidates] tensor."""
        flat, points, strides = [], [], []
        for (x, channels), stride in zip(maps, [8, 16, 32]):
            boxes = self.branch(x, channels, 64, 64, 0.5, 0.0)
            scores = self.branch(x, channels, 80, CLASSES, class_gain, class_bias)
            both = self.node("Concat", [boxes, scores], axis=1)
            flat.append(self.node("Reshape", [both, self.constant(np.array([1, 64 + CLASSES, -1]))]))
            cells = side // stride
            ys, xs = np.mgrid[0:cells, 0:cells].astype(np.float32) + 0.5
            points.append(np.stack([xs.ravel(), ys.ravel()]))
            strides.append(np.full((1, cells * cells), stride, np.float32))
        points, strides = np.concatenate(points, 1)[None], np.concatenate(strides, 1)[None]
        count = points.shape[2]
        boxes, scores = self.node("Split", [self.node("Concat", flat, axis=2), self.constant(np.array([64, CLASSES]))], 2,
                                  axis=1)
        bins = self.node("Reshape", [boxes, self.constant(np.array([1, 4, 16, count]))])
        bins = self.node("Softmax", [self.node("Transpose", [bins], perm=[0, 2, 1, 3])], axis=1)
        expected = self.constant(np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1))
        distances = self.node("Conv", [bins, expected], kernel_shape=[1, 1])
        distances = self.node("Reshape", [distances, self.constant(np.array([1, 4, count]))])
        before, after = self.node("Split", [distances, self.constant(np.array([2, 2]))], 2, axis=1)
        points = self.constant(points)
        corner, other = self.node("Sub", [points, before]), self.node("Add", [points, after])
        centre = self.node("Div", [self.node("Add", [corner, other]), self.constant(np.float32(2))])
        size = self.node("Sub", [other, corner])
        boxes = self.node("Mul", [self.node("Concat", [centre, size], axis=1), self.constant(strides)])
        return self.node("Concat", [boxes, self.node("Sigmoid", [scores])], axis=1, name="output0"), count


def detector(path, side, frames):
    """A detector whose class bias makes `CANDIDATES` of its boxes pass `CONFIDENCE` on the median of `frames`."""

    def build(class_gain, class_bias):
        graph = Yolo(seed=8)
        _, count = graph.head(graph.body("images"), side, class_gain, class_bias)
        parameters = graph.save(path, [("images", [1, 3, side, side])], [("output0", [1, 4 + CLASSES, count])])
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        scores = [session.run(None, {"images": letterboxed(frame, side)})[0][0, 4:] for frame in frames]
        assert all(np.isfinite(score).all() for score in scores), "the activations are not finite"
        return scores, parameters

    faint = 1e-3  # so small that no score is rounded to nought or one
    scores, _ = build(faint, 0.0)
    logits = [np.log(score / (1 - score)) / faint for score in scores]
    gain = SPREAD / np.median([logit.std() for logit in logits])
    best = [np.sort(logit.max(axis=0))[-CANDIDATES] * gain for logit in logits]
    scores, parameters = build(gain, math.log(CONFIDENCE / (1 - CONFIDENCE)) - np.median(best))
    passed = [int((score.max(axis=0) >= CONFIDENCE).sum()) for score in scores]
    print(f"{path.parent.name}: {parameters:,} parameters, {scores[0].shape[1]} candidates, of which {min(passed)} to "
          f"{max(passed)} (median {int(np.median(passed))}) pass {CONFIDENCE}")
    names = [f"defect-{number}" for number in range(CLASSES)]
    body = DETECTOR.format(confidence=CONFIDENCE, side=side, rows=4 + CLASSES, candidates=scores[0].shape[1],
                           names=quoted(names), defects=quoted(names))
    passport(path, "teacher", f"A detector of YOLOv8n's shape at {side} pixels.", body)


def letterboxed(frame, side):
    height, width = frame.shape[:2]
    scale = min(side / width, side / height)
    size = (round(width * scale), round(height * scale))
    canvas = np.full((side, side, 3), 114, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    canvas[top:top + size[1], left:left + size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / 255


class Mobile(Graph):
    """Inverted residuals with depthwise convolutions, as MobileNetV2 (Sandler et al. 2018) has them."""

    def active(self, x, *arguments, **settings):
        x = self.conv(x, *arguments, gain=RELU_GAIN, **settings)
        return self.node("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(6))])

    def block(self, x, cin, cout, stride, expansion):
        wide = cin * expansion
        y = self.active(x, cin, wide) if expansion > 1 else x
        y = self.active(y, wide, wide, 3, stride, groups=wide)
        y = self.conv(y, wide, cout, gain=1.0)
        return self.node("Add", [x, y]) if stride == 1 and cin == cout else y

    def classifier(self, path, side, stem, blocks, last, classes):
        x, channels = self.active("image", 3, stem, 3, 2), stem
        for expansion, cout, repeats, stride in blocks:
            for repeat in range(repeats):
                x = self.block(x, channels, cout, stride if repeat == 0 else 1, expansion)
                channels = cout
        x = self.node("GlobalAveragePool", [self.active(x, channels, last)])
        x = self.conv(x, last, classes)
        self.node("Flatten", [x], name="logits")
        parameters = self.save(path, [("image", [1, 3, side, side])], [("logits", [1, classes])])
        print(f"{path.parent.name}: {parameters:,} parameters")


MOBILENET_V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
STUDENT = [(1, 12, 1, 1), (3, 16, 2, 2), (4, 20, 2, 2), (4, 28, 2, 2)]

HEAD = """schema = "kenpin.passport/1"
name = "{name}"
{task}description = "{description} Random weights: it costs what its shape costs and recognises nothing."
tier = "{tier}"
licence = "MIT OR Apache-2.0"
origin = "tests/bench/models.py"

[file]
path = "model.onnx"
sha256 = "{sha256}"
ir_version = 8
opset = 17
"""

DETECTOR = """
[task.detection]
head = "yolov8"
confidence_from = {confidence}
overlap_up_to = 0.45
most = 100

[[inputs]]
name = "images"
kind = "image"
shape = [1, 3, {side}, {side}]
layout = "nchw"
element = "float32"
colour = "rgb"
fit = "letterbox"
fill = 114
filter = "linear"
scale = 0.00392156862745098
mean = [0.0, 0.0, 0.0]
standard_deviation = [1.0, 1.0, 1.0]

[[outputs]]
name = "output0"
shape = [1, {rows}, {candidates}]
element = "float32"
activation = "none"

[labels]
names = {names}
defects = {defects}
"""

CLASSIFIER = """
[[inputs]]
name = "image"
kind = "image"
shape = [1, 3, {side}, {side}]
layout = "nchw"
element = "float32"
colour = "rgb"
fit = "stretch"
filter = "linear"
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
standard_deviation = [0.229, 0.224, 0.225]

[[outputs]]
name = "logits"
shape = [1, {classes}]
element = "float32"
activation = "softmax"

[labels]
names = {names}
defects = {defects}
"""


def passport(path, tier, description, body, task=""):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    head = HEAD.format(name=path.parent.name, task=task, tier=tier, description=description, sha256=sha256)
    (path.parent / "passport.toml").write_text(head + body)


def classifier(path, seed, side, stem, blocks, last, classes, tier, description):
    Mobile(seed).classifier(path, side, stem, blocks, last, classes)
    names = ["good"] + [f"defect-{number}" for number in range(1, classes)]
    body = CLASSIFIER.format(side=side, classes=classes, names=quoted(names), defects=quoted(names[1:]))
    passport(path, tier, description, body, 'task = "classification"\n')


def quoted(texts):
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def main():
    folder, frames = Path(sys.argv[1]), sorted(Path(sys.argv[2]).glob("*.jpg"))
    frames = [cv2.imread(str(frame)) for frame in frames[::4]]
    detector(folder / "detector-640" / "model.onnx", 640, frames)
    detector(folder / "detector-320" / "model.onnx", 320, frames)
    classifier(folder / "classifier-128" / "model.onnx", 2, 128, 32, MOBILENET_V2, 1280, 10, "teacher",
               "A 128 pixel classifier of MobileNetV2's shape.")
    classifier(folder / "student-96" / "model.onnx", 3, 96, 8, STUDENT, 96, 2, "student",
               "A student of inverted residuals at 96 pixels.")


if __name__ == "__main__":
    main()
