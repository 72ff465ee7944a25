/** The daemon's Api over HTTP, typed by its OpenAPI document. */

import type { components, paths } from "./schema";

export type Model<Name extends keyof components["schemas"]> = components["schemas"][Name];

type Method = "get" | "post" | "put" | "patch" | "delete";
type Operation<Path extends keyof paths, M extends Method> = NonNullable<paths[Path][M]>;
type Paths<O> = O extends { parameters: { path: infer P } } ? P : undefined;
type Query<O> = O extends { parameters: { query?: infer Q } } ? Q : undefined;
type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : undefined;
type Answer<O> = O extends { responses: { 200: { content: { "application/json": infer A } } } } ? A : void;

interface Given<O> {
  path?: Paths<O>;
  query?: Query<O>;
  body?: Body<O>;
  signal?: AbortSignal;
}

/** An error that the daemon explained (RFC 9457); `code` is stable, `message` is for people. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly facts: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

/** The API's root. Relative to the page, so it is right below any path of a reverse proxy. */
export const ROOT = new URL("./api/v1", document.baseURI);

type Listener = () => void;
const outsiders = new Set<Listener>();

/** `listener` is told when the daemon says that one is not logged in any more. */
export function onLoggedOut(listener: Listener): () => void {
  outsiders.add(listener);
  return () => outsiders.delete(listener);
}

function address(path: string, parameters: unknown, query: unknown): URL {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((parameters as Record<string, unknown>)[name])),
  );
  const url = new URL(ROOT.href + filled);
  for (const [name, value] of Object.entries((query ?? {}) as Record<string, unknown>)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) url.searchParams.append(name, String(one));
    }
  }
  return url;
}

async function problem(answer: Response): Promise<Problem> {
  let found: Record<string, unknown> = {};
  try {
    found = (await answer.json()) as Record<string, unknown>;
  } catch {
    // A proxy in between has pages of its own; the status has to do.
  }
  const text = typeof found["detail"] === "string" ? found["detail"] : `${answer.status} ${answer.statusText}`;
  return new Problem(answer.status, typeof found["code"] === "string" ? found["code"] : "", text, (found["facts"] ?? {}) as Record<string, unknown>);
}

/** Fetch from below the API's root. Throws Problem; code `offline` where nobody answers. */
export async function send(method: string, url: URL, body?: BodyInit, type?: string, signal?: AbortSignal): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      body: body ?? null,
      headers: type ? { "Content-Type": type } : {},
      signal: signal ?? null,
      cache: "no-store",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "offline", "wildbach does not answer");
  }
  if (!answer.ok) {
    const found = await problem(answer);
    if (found.status === 401) for (const listener of outsiders) listener();
    throw found;
  }
  return answer;
}

async function call<Path extends keyof paths, M extends Method>(
  method: M,
  path: Path,
  given: Given<Operation<Path, M>> = {},
): Promise<Answer<Operation<Path, M>>> {
  const url = address(path, given.path, given.query);
  const body = given.body === undefined ? undefined : JSON.stringify(given.body);
  const answer = await send(method.toUpperCase(), url, body, body === undefined ? undefined : "application/json", given.signal);
  type Found = Answer<Operation<Path, M>>;
  return (answer.status === 204 ? undefined : await answer.json()) as Found;
}

type With<M extends Method> = { [P in keyof paths]: paths[P][M] extends undefined ? never : P }[keyof paths];

export const api = {
  get: <P extends With<"get">>(path: P, given?: Given<Operation<P, "get">>) => call("get", path, given),
  post: <P extends With<"post">>(path: P, given?: Given<Operation<P, "post">>) => call("post", path, given),
  put: <P extends With<"put">>(path: P, given?: Given<Operation<P, "put">>) => call("put", path, given),
  patch: <P extends With<"patch">>(path: P, given?: Given<Operation<P, "patch">>) => call("patch", path, given),
  delete: <P extends With<"delete">>(path: P, given?: Given<Operation<P, "delete">>) => call("delete", path, given),
};

/** Where a GET of the API is, for links and downloads. */
export function href<P extends With<"get">>(path: P, given: Given<Operation<P, "get">> = {}): string {
  return address(path, given.path, given.query).href;
}
