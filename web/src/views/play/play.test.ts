import { describe, expect, it } from "vitest";
import { cuesOf, decoded } from "./cues";
import { clock, languageName, stretches, wayOf, type Probe, type Track } from "./way";

const video: Track = { index: 0, kind: "video", codec: "h264", codecs: "avc1.64001f", copied: true };
const ac3: Track = { index: 1, kind: "audio", codec: "ac3", codecs: "ac-3" };
const aac: Track = { index: 2, kind: "audio", codec: "aac", codecs: "mp4a.40.2", copied: true };
const film = (mime: string, ...tracks: Track[]): Probe => ({
  container: "x", duration: 60, mime, tracks, chapters: [], heights: [720],
  hls: { codecs: 'video/mp4; codecs="avc1.64001f,mp4a.40.2"', code: "" },
  transcode: { codecs: 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"', code: "" },
});
const all = { plays: () => true, buffers: () => true };
const asked = { plays: (mime: string) => mime.startsWith("video/mp4") && !mime.includes("ac-3"), buffers: (type: string) => type.includes("avc1") };

describe("the way a film takes", () => {
  it("is direct where the browser plays all of it", () => {
    expect(wayOf(film('video/mp4; codecs="avc1.64001f, mp4a.40.2"', video, aac), "", asked)).toBe("direct");
  });
  it("leads over segments where container or sound will not play", () => {
    expect(wayOf(film('video/webm; codecs="avc1.64001f, ac-3"', video, ac3), "", asked)).toBe("hls");
    expect(wayOf(film('video/mp4; codecs="avc1.64001f, ac-3"', video, ac3), "", asked)).toBe("hls");
  });
  it("leads over segments to another sound than the first", () => {
    const two = film('video/mp4; codecs="avc1.64001f, mp4a.40.2"', video, { ...ac3, index: 1 }, { ...aac, default: true });
    expect(wayOf(two, "", all)).toBe("hls");
    expect(wayOf(film("video/mp4", video, aac), "", all, { sound: 9 })).toBe("hls");
  });
  it("asks before pictures are made anew, and does so on wish", () => {
    const old = { ...film("video/mp4", { ...video, codecs: "mp4v", codec: "mpeg4" }), hls: { codecs: "", code: "needs_transcode" } };
    const none = { plays: () => false, buffers: () => true };
    expect(wayOf(old, "", none)).toBe("ask");
    expect(wayOf(old, "", none, { wish: true })).toBe("made");
  });
  it("goes by the name where the daemon cannot look into files", () => {
    expect(wayOf(null, "video/mp4", asked)).toBe("direct");
    expect(wayOf(null, "video/x-matroska", asked)).toBe("none");
  });
});

describe("subtitles", () => {
  it("are read as SubRip, WebVTT and SubStation Alpha", () => {
    expect(cuesOf("1\r\n00:00:01,500 --> 00:00:02,000\r\n<i>a</i> < b & c\r\n\r\n")).toEqual([{ start: 1.5, end: 2, text: "<i>a</i> &lt; b &amp; c" }]);
    expect(cuesOf("WEBVTT\n\n00:01.000 --> 00:02.000 line:0\na &amp; b\n", true)).toEqual([{ start: 1, end: 2, text: "a &amp; b" }]);
    expect(cuesOf("[Events]\nDialogue: 0,0:00:01.00,0:00:02.50,D,,0,0,0,,{\\i1}One,\\Ntwo\n")).toEqual([{ start: 1, end: 2.5, text: "One,\ntwo" }]);
  });
  it("have nothing in them that means more than its text", () => {
    expect(cuesOf("00:00:01,000 --> 00:00:02,000\n<script>x</script><img src=x>-->\n")[0]?.text).toBe("x--&gt;");
  });
  it("come in any usual encoding", () => {
    expect(decoded(new TextEncoder().encode("grün"))).toBe("grün");
    expect(decoded(Uint8Array.from([0x67, 0xfc]))).toBe("gü");
    expect(decoded(Uint8Array.from([0xff, 0xfe, 0x67, 0, 0xfc, 0]))).toBe("gü");
  });
});

it("shows times as clocks do", () => {
  expect([0, 59.9, 61, 3723, Number.NaN].map(clock)).toEqual(["0:00", "0:59", "1:01", "1:02:03", "0:00"]);
});

it("names languages in the page's own", () => {
  expect(languageName("ger", "en")).toBe("German");
  expect(languageName("", "en")).toBe("");
});

it("says which stretches of a file are there", () => {
  expect(stretches("##--#", 0, 1)).toEqual([[0, 0.4], [0.8, 1]]);
  expect(stretches("-####-", 0.5, 1)).toEqual([[0, 2 / 3]]);
  expect(stretches("", 0, 1)).toEqual([]);
});
