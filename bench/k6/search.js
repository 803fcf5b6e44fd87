// Searches at a constant rate, with k6:
//
//   k6 run -e API_KEY=KEY -e SELFIES=/tmp/selfies bench/k6/search.js
//
// The executor starts every search when it is due, whether or not the last is answered; one for which
// no virtual user is free is a dropped iteration and fails the run. k6 counts latencies from the
// sending; `python -m bench.load` counts from the moment a request was due.
import http from "k6/http";
import exec from "k6/execution";
import { check } from "k6";

const URL = __ENV.URL || "http://127.0.0.1:8000";
const RATE = Number(__ENV.RATE || 100);
const SECONDS = Number(__ENV.SECONDS || 300);
const COUNT = Number(__ENV.COUNT || 100);
const TOP_KS = [10, 50];
const MARK_BYTES = 16;

const selfies = Array.from(
  { length: COUNT },
  (_, number) => new Uint8Array(open(`${__ENV.SELFIES}/${number}.jpg`, "b")),
);

export const options = {
  discardResponseBodies: true,
  scenarios: {
    search: {
      executor: "constant-arrival-rate",
      rate: RATE,
      timeUnit: "1s",
      duration: `${SECONDS}s`,
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
  thresholds: {
    checks: ["rate==1"],
    dropped_iterations: ["count==0"],
    http_req_duration: ["p(95)<50", "p(99)<100"],
  },
};

// The edge knows a selfie again that it has just seen, so every one gets a comment of its own.
function copyOf(selfie, number) {
  const digits = String(number).padStart(MARK_BYTES, "0");
  const copy = new Uint8Array(selfie.length + 4 + MARK_BYTES);
  copy.set([0xff, 0xd8, 0xff, 0xfe, 0, 2 + MARK_BYTES]);
  for (let place = 0; place < MARK_BYTES; place++) copy[6 + place] = digits.charCodeAt(place);
  copy.set(selfie.subarray(2), 6 + MARK_BYTES);
  return copy.buffer;
}

export function setup() {
  return { first: Date.now() * 1000 };
}

export default function ({ first }) {
  const number = exec.scenario.iterationInTest;
  const answer = http.post(
    `${URL}/search/`,
    {
      top_k: String(TOP_KS[number % TOP_KS.length]),
      image: http.file(copyOf(selfies[number % COUNT], first + number), "selfie.jpg", "image/jpeg"),
    },
    { headers: { "X-Api-Key": __ENV.API_KEY }, timeout: "10s" },
  );
  check(answer, { "is 200": ({ status }) => status === 200 });
}
