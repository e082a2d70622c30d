"""The same work as a user would write it first: OpenCV, onnxruntime, numpy and paho-mqtt, one file, no framework.

    plain.py FRAMES BROKER THREADS MODEL...

Reads JPEG or YUYV files from FRAMES in turn, runs every MODEL (an ONNX file: a YOLOv8-shaped detector or a classifier,
told apart by the output) on each with THREADS threads (0: the runtime's default), publishes one JSON message a frame with
QoS 1 to BROKER (`host:port`). Says `ready` after the first verdict is acknowledged, which is part of the start; then does
one block for each number on its standard input and answers with a line of JSON: CPU and wall seconds of the block, peak
memory in MB of 10^6 bytes. Packages: numpy, onnxruntime, opencv-python-headless, paho-mqtt.
"""

import json
import os
import resource
import sys
import time

import cv2
import numpy as np
import onnxruntime
import paho.mqtt.client as mqtt

CONFIDENCE, OVERLAP = 0.25, 0.45
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def read(path):
    if path.endswith(".yuyv"):
        return cv2.cvtColor(np.fromfile(path, np.uint8).reshape(720, 1280, 2), cv2.COLOR_YUV2BGR_YUYV)
    return cv2.imread(path)


def letterbox(image, side):
    height, width = image.shape[:2]
    scale = min(side / width, side / height)
    new = round(width * scale), round(height * scale)
    left, top = (side - new[0]) // 2, (side - new[1]) // 2
    canvas = np.full((side, side, 3), 114, np.uint8)
    canvas[top:top + new[1], left:left + new[0]] = cv2.resize(image, new)
    return canvas, scale, left, top


def detect(session, image):
    side = session.get_inputs()[0].shape[2]
    canvas, scale, left, top = letterbox(image, side)
    tensor = canvas[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    output = session.run(None, {"images": tensor})[0][0].T
    scores = output[:, 4:].max(axis=1)
    kept = scores >= CONFIDENCE
    boxes, scores, classes = output[kept, :4], scores[kept], output[kept, 4:].argmax(axis=1)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    corners = (corners - [left, top, left, top]) / scale
    found = [(corners[i], scores[i], classes[i]) for i in suppress(corners + classes[:, None] * 8192, scores)]
    return [{"class": int(c), "score": float(s), "box": [float(v) for v in b]} for b, s, c in found]


def suppress(boxes, scores):
    order, kept = scores.argsort()[::-1], []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while order.size:
        first, order = order[0], order[1:]
        kept.append(first)
        low = np.maximum(boxes[first, :2], boxes[order, :2])
        high = np.minimum(boxes[first, 2:], boxes[order, 2:])
        inner = np.clip(high - low, 0, None).prod(axis=1)
        order = order[inner / (areas[first] + areas[order] - inner) <= OVERLAP]
    return kept


def classify(session, image):
    side = session.get_inputs()[0].shape[2]
    image = cv2.cvtColor(cv2.resize(image, (side, side)), cv2.COLOR_BGR2RGB)
    tensor = ((image.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
    logits = session.run(None, {"image": np.ascontiguousarray(tensor)})[0][0]
    powers = np.exp(logits - logits.max())
    return [float(power) for power in powers / powers.sum()]


def main():
    folder, broker, threads, models = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
    sessions = [onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for model in models]
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    host, port = broker.rsplit(":", 1)
    client.connect(host, int(port))
    client.loop_start()
    done = 0

    def part():
        nonlocal done
        image = read(files[done % len(files)])
        answers = [(detect if len(s.get_outputs()[0].shape) == 3 else classify)(s, image) for s in sessions]
        message = {"part": f"part-{done}", "answers": answers, "time": time.time()}
        done += 1
        return client.publish("plain/verdict", json.dumps(message), qos=1)

    part().wait_for_publish()
    print("ready", flush=True)
    for line in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        sent = [part() for _ in range(int(line))]
        for message in sent:
            message.wait_for_publish()
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        spent["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps(spent), flush=True)
    client.disconnect()


if __name__ == "__main__":
    main()
