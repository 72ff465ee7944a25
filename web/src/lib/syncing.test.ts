import { describe, expect, it } from "vitest";
import { bar, base, standing, tone, trail, without, type Device, type Folder } from "./syncing";

const device = (more: Partial<Device>): Device => ({
  id: "00", name: "x", role: "rw", me: false, connected: false, way: "", endpoint: "", seen_at: 0, state: "", reason: "", need_files: 0, need_bytes: 0, down: 0, up: 0, received: 0, sent: 0, ...more,
});
const folder = (more: Partial<Folder>): Folder => ({
  id: "00", name: "docs", path: "/docs", role: "owner", mode: "both", state: "idle", reason: "", question: "", files: 0, size: 0, need_files: 0, need_bytes: 0, progress: 1,
  conflicts: 0, problems: 0, local: 0, down: 0, up: 0, devices: [device({ me: true, connected: true })], links: 0, excluded: [], owners: 1, recovery: "saved", scanned_at: 0, changed_at: 0,
  versions_size: 0, ...more,
});
const me = device({ me: true, connected: true });

describe("how a folder stands", () => {
  it("tells being alone, nobody there, and all the same apart", () => {
    expect(standing(folder({}))).toBe("alone");
    expect(standing(folder({ devices: [me, device({})] }))).toBe("away");
    expect(standing(folder({ devices: [me, device({ connected: true })] }))).toBe("idle");
    expect(standing(folder({ conflicts: 1, problems: 1, devices: [me, device({ connected: true })] }))).toBe("conflicts");
    expect(standing(folder({ problems: 1 }))).toBe("problems");
    expect(standing(folder({ reason: "taken out", conflicts: 1 }))).toBe("waiting");
    expect(standing(folder({ state: "paused", devices: [me, device({})] }))).toBe("paused");
  });

  it("is green only where nothing is open", () => {
    const devices = [me, device({ connected: true })];
    expect(tone(folder({ devices }))).toBe("good");
    expect(tone(folder({ devices, conflicts: 1 }))).toBe("warn");
    expect(tone(folder({ devices, problems: 2 }))).toBe("warn");
    expect(tone(folder({ devices, state: "syncing" }))).toBe("run");
    expect(tone(folder({ devices, state: "asking" }))).toBe("warn");
    expect(tone(folder({ devices, state: "stopped", conflicts: 1 }))).toBe("bad");
    expect(tone(folder({}))).toBe("still");
    expect([bar("good"), bar("warn"), bar("bad")]).toEqual(["done", "run", "bad"]);
  });
});

describe("folders that are left out", () => {
  it("holds each once, and none that is in another", () => {
    expect(without(["a/b", "c"], "a", true)).toEqual(["a", "c"]);
    expect(without(["a", "c"], "a", true)).toEqual(["a", "c"]);
    expect(without(["a", "ab", "c"], "a", false)).toEqual(["ab", "c"]);
    expect(without(["ab/x"], "a", true)).toEqual(["a", "ab/x"]);
  });

  it("leads to where one is", () => {
    expect(trail("")).toEqual([]);
    expect(trail("a/b")).toEqual([{ name: "a", path: "a" }, { name: "b", path: "a/b" }]);
    expect(base("a/b/c.txt")).toBe("c.txt");
    expect(base("c")).toBe("c");
  });
});
