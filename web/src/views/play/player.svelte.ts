/**
 * Plays one file of a torrent in a video element, in whichever way it takes. What of it changes is state; where it is
 * fetched from is the media host, and what it says of the file is asked once.
 */

import Hls, { type ErrorData } from "hls.js/light";
import { cuesOf, type Cue } from "./cues";
import { usualSound, wayOf, type Probe, type Track, type Way } from "./way";

/** What can be shown as subtitles: a track of the film, a file of the torrent, or a file of one's own. */
export type Subtitle = { kind: "track"; id: string; track: number; label: string } | { kind: "file"; id: string; url: string; label: string } | { kind: "own"; id: string; cues: Cue[]; label: string };

/** A stretch of subtitles of a track that is asked for at once; the film around it is what is fetched anyway. */
const STRETCH = 60;
/** Segments may wait for their bytes: as long as the viewer does. */
const LONG = 30 * 60 * 1000;
const POLICY = { default: { maxTimeToFirstByteMs: LONG, maxLoadTimeMs: LONG, timeoutRetry: { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 4000 }, errorRetry: { maxNumRetry: 6, retryDelayMs: 500, maxRetryDelayMs: 8000 } } };

export class Player {
  probe = $state.raw<Probe | null>(null);
  /** Why there is no probe; empty where there is, or was not asked for yet. */
  missing = $state("");
  way = $state<Way | "">("");
  error = $state("");
  time = $state(0);
  duration = $state(0);
  paused = $state(true);
  waiting = $state(false);
  ended = $state(false);
  rate = $state(1);
  volume = $state(1);
  muted = $state(false);
  buffered = $state.raw<[number, number][]>([]);
  sound = $state(-1);
  height = $state(0);
  subtitle = $state.raw<Subtitle | null>(null);
  offset = $state(0);

  #base: string;
  #file: string;
  #type: string;
  #video: HTMLVideoElement;
  #hls: Hls | null = null;
  #text: TextTrack | null = null;
  #cues: Cue[] = [];
  #had = new Set<number>();
  #turn = 0;
  #away = new AbortController();
  #mended = 0;

  /** `base`: what is made of the file is below it; `file`: itself; `type`: its MIME type by its name. */
  constructor(video: HTMLVideoElement, base: string, file: string, type: string) {
    this.#video = video;
    this.#base = base;
    this.#file = file;
    this.#type = type;
    const on = (names: string[], run: () => void): void => names.forEach((name) => video.addEventListener(name, run, { signal: this.#away.signal }));
    on(["timeupdate", "seeking", "seeked"], () => {
      this.time = video.currentTime;
      void this.#more();
    });
    on(["durationchange", "loadedmetadata"], () => (this.duration = Number.isFinite(video.duration) ? video.duration : (this.probe?.duration ?? 0)));
    on(["play", "pause", "ended"], () => {
      this.paused = video.paused;
      this.ended = video.ended;
    });
    on(["waiting", "seeking", "loadstart"], () => (this.waiting = true));
    on(["playing", "canplay", "seeked", "error"], () => (this.waiting = false));
    on(["ratechange"], () => (this.rate = video.playbackRate));
    on(["volumechange"], () => ([this.volume, this.muted] = [video.volume, video.muted]));
    on(["progress", "timeupdate", "seeked"], () => (this.buffered = rangesOf(video.buffered)));
    on(["error"], () => this.#failed());
  }

  get sounds(): Track[] {
    return this.probe?.tracks.filter((track) => track.kind === "audio") ?? [];
  }

  get texts(): Track[] {
    return this.probe?.tracks.filter((track) => track.kind === "subtitle" && track.text) ?? [];
  }

  get pictures(): boolean {
    return this.probe === null || this.probe.tracks.some((track) => track.kind === "video");
  }

  thumb(seconds: number): string {
    return `${this.#base}/thumb/${Math.floor(Math.max(0, seconds) / 2) * 2}.jpg`;
  }

  /** Look into the file, choose the way and begin. `height`: pictures are made anew. */
  async begin(at: number, { sound = -1, height = 0, play = true } = {}): Promise<void> {
    const turn = ++this.#turn;
    this.waiting = true;
    if (this.probe === null && !this.missing) await this.#look();
    if (turn !== this.#turn) return;
    this.error = "";
    const usual = this.probe ? (usualSound(this.probe)?.index ?? -1) : -1;
    this.sound = this.sounds.some((track) => track.index === sound) ? sound : usual;
    this.height = height;
    this.duration = this.probe?.duration ?? 0;
    this.way = wayOf(this.probe, this.#type, { plays: (type) => this.#video.canPlayType(type) !== "", buffers }, { wish: height > 0, sound: this.sound });
    this.#clear();
    if (this.way === "direct") {
      this.#video.src = this.#file;
      this.#video.currentTime = at;
    } else if (this.way === "hls" || this.way === "made") this.#segments(at);
    else {
      this.waiting = false;
      return;
    }
    this.#video.playbackRate = this.rate;
    // Browsers promise it for when the first picture is there; that is not waited for.
    if (play) void this.play();
  }

  async play(): Promise<void> {
    try {
      await this.#video.play();
    } catch (error) {
      // Browsers play nothing before somebody pressed something; then it waits for that.
      if (!(error instanceof DOMException)) throw error;
    }
  }

  toggle(): void {
    if (this.#video.paused) void this.play();
    else this.#video.pause();
  }

  seek(to: number): void {
    const end = this.duration || this.#video.duration || 0;
    this.#video.currentTime = Math.max(0, end ? Math.min(to, end - 0.1) : to);
    this.time = this.#video.currentTime;
  }

  speed(rate: number): void {
    this.rate = rate;
    this.#video.playbackRate = rate;
  }

  loud(volume: number): void {
    this.#video.muted = false;
    this.#video.volume = Math.min(1, Math.max(0, volume));
  }

  mute(): void {
    this.#video.muted = !this.#video.muted;
  }

  listen(sound: number): Promise<void> {
    return this.begin(this.time, { sound, height: this.height, play: !this.#video.paused });
  }

  /** Pictures of at most that height; 0: as they are. */
  make(height: number): Promise<void> {
    return this.begin(this.time, { sound: this.sound, height, play: true });
  }

  /** Show subtitles, or none. Throws where they cannot be had. */
  async show(subtitle: Subtitle | null): Promise<void> {
    this.subtitle = subtitle;
    this.#cues = [];
    this.#had.clear();
    this.#draw();
    if (subtitle?.kind === "own") this.#cues = subtitle.cues;
    else if (subtitle?.kind === "file") this.#cues = cuesOf(await this.#text_of(subtitle.url), true);
    else if (subtitle?.kind === "track") await this.#more();
    if (this.subtitle === subtitle) this.#draw();
  }

  /** Seconds by which subtitles come later. */
  shift(offset: number): void {
    this.offset = Math.round(offset * 100) / 100;
    this.#draw();
    void this.#more();
  }

  end(): void {
    this.#turn++;
    this.#away.abort();
    this.#clear();
  }

  async #look(): Promise<void> {
    try {
      const answer = await fetch(`${this.#base}/hls/probe.json`, { signal: this.#away.signal });
      const found: unknown = await answer.json();
      if (answer.ok) this.probe = found as Probe;
      else this.missing = (found as { code?: string }).code ?? "error";
    } catch (error) {
      if (this.#away.signal.aborted) return;
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      this.missing = "offline";
    }
  }

  #segments(at: number): void {
    const query = new URLSearchParams();
    if (this.sound >= 0) query.set("audio", String(this.sound));
    if (this.height) query.set("height", String(this.height));
    // A worker of its own would need code from a blob, which this page's policy does not let run.
    const hls = new Hls({
      enableWorker: false, startPosition: at, maxBufferLength: 30, maxMaxBufferLength: 60, backBufferLength: 60,
      fragLoadPolicy: POLICY, manifestLoadPolicy: POLICY, playlistLoadPolicy: POLICY,
    });
    hls.on(Hls.Events.ERROR, (_, data) => this.#broken(hls, data));
    hls.loadSource(`${this.#base}/hls/master.m3u8?${query}`);
    hls.attachMedia(this.#video);
    this.#hls = hls;
  }

  #broken(hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.#hls) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#mended++ < 3) hls.recoverMediaError();
    else if (data.type === Hls.ErrorTypes.NETWORK_ERROR && (data.response?.code ?? 0) === 0 && this.#mended++ < 3) hls.startLoad();
    else {
      this.error = data.details;
      this.waiting = false;
      this.#clear();
    }
  }

  /** The browser said that it plays this, and does not: by segments it may. */
  #failed(): void {
    if (this.#hls || !this.#video.error) return;
    const better = this.probe && !this.probe.hls.code && buffers(this.probe.hls.codecs);
    if (this.way === "direct" && better && !this.#mended++) {
      this.way = "hls";
      this.#clear();
      this.#segments(this.time);
      void this.play();
    } else this.error = this.#video.error.message || "error";
  }

  #clear(): void {
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  async #text_of(url: string): Promise<string> {
    const answer = await fetch(url, { signal: this.#away.signal });
    if (!answer.ok) throw new Error(((await answer.json()) as { message?: string }).message ?? answer.statusText);
    return answer.text();
  }

  /** What a track says around here, and a little ahead. */
  async #more(): Promise<void> {
    const shown = this.subtitle;
    if (shown?.kind !== "track") return;
    const here = Math.max(0, this.time - this.offset);
    for (const part of new Set([Math.floor(here / STRETCH), Math.floor((here + 15) / STRETCH)])) {
      if (this.#had.has(part)) continue;
      this.#had.add(part);
      try {
        const text = await this.#text_of(`${this.#base}/sub/${shown.track}.vtt?start=${part * STRETCH}&end=${(part + 1) * STRETCH}`);
        if (this.subtitle !== shown) return;
        const known = new Set(this.#cues.map((cue) => `${cue.start} ${cue.text}`));
        this.#cues = [...this.#cues, ...cuesOf(text, true).filter((cue) => !known.has(`${cue.start} ${cue.text}`))];
        this.#draw();
      } catch (error) {
        if (this.#away.signal.aborted) return;
        this.#had.delete(part);
        throw error;
      }
    }
  }

  #draw(): void {
    this.#text ??= this.#video.addTextTrack("subtitles", "wildbach");
    const track = this.#text;
    track.mode = "hidden";
    for (const cue of [...(track.cues ?? [])]) track.removeCue(cue);
    for (const cue of this.#cues) {
      if (cue.end + this.offset > 0) track.addCue(new VTTCue(Math.max(0, cue.start + this.offset), cue.end + this.offset, cue.text));
    }
    track.mode = this.subtitle ? "showing" : "disabled";
  }
}

function buffers(type: string): boolean {
  return Hls.isSupported() && !!type && MediaSource.isTypeSupported(type);
}

function rangesOf(ranges: TimeRanges): [number, number][] {
  return Array.from({ length: ranges.length }, (_, at) => [ranges.start(at), ranges.end(at)]);
}
