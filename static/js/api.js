// Requests to our own API. Three ends: an answer, an ApiError (the server refused) or Unreachable (nobody knows).

import { t } from "./tongue.js";

const API = "/api/v1/";
const HOME = "/";
const LOGIN = "/login/";
const LOGIN_CODE = "/login/code/";
const TIMEOUT = 20_000; // ms

/** The server answered, and refused. */
export class ApiError extends Error {
  constructor(status, { code = "error", detail = "", field = "" } = {}, retryAfter = 0) {
    super(detail || t("The server answered {status}.", { status: String(status) }));
    Object.assign(this, { status, code, field, retryAfter });
  }

  /** It may well succeed a little later, unchanged. */
  get passing() {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** No whole answer came back. What was asked may have been done all the same. */
export class Unreachable extends Error {}

const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

/**
 * @param {"GET"|"POST"} method
 * @param {string} path below /api/v1/
 * @param {object} [body]
 * @returns {Promise<any>} the parsed answer; null where there is none (204)
 */
export async function call(method, path, body) {
  const request = () =>
    send(API + path, {
      method,
      headers: {
        Accept: "application/json",
        ...(method === "GET" ? {} : { "Content-Type": "application/json", "X-CSRFToken": csrf() }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 403 && error.message.startsWith("CSRF"))) throw error;
    await freshToken(); // another tab logged in since: its token is the one that counts
    return request();
  }
}

/** The id of who is logged in, "" for nobody: as any page says it. */
export async function whoIsIn() {
  try {
    const page = await fetch(HOME, { credentials: "same-origin", cache: "no-store" });
    return new DOMParser().parseFromString(await page.text(), "text/html").body.dataset.user ?? "";
  } catch (error) {
    throw new Unreachable(error.message);
  }
}

/** Any page with a form brings the token's cookie. */
async function freshToken() {
  try {
    await fetch(LOGIN, { credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    throw new Unreachable(error.message);
  }
}

/** Logs in and returns the id of who that is; null where a code must follow. */
export async function login(username, password) {
  await freshToken();
  return enter(LOGIN, { username, password });
}

/** The second factor, after the password. An ApiError with the code "login": begin again with the password. */
export const loginCode = (code) => enter(LOGIN_CODE, { code });

async function enter(url, fields) {
  const answer = await send(url, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": csrf() },
    body: new URLSearchParams(fields),
  });
  return answer.user === undefined ? null : String(answer.user);
}

async function send(url, options) {
  let response, text;
  try {
    response = await fetch(url, {
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT),
      ...options,
    });
    text = await response.text(); // the connection may still drop here
  } catch (error) {
    throw new Unreachable(error.message);
  }
  if (response.status === 204) return null;
  const json = response.headers.get("Content-Type")?.includes("json") ? parse(text) : undefined;
  if (response.ok) {
    // A page in place of JSON: a hotel's login, a proxy. Our server has not answered.
    if (json === undefined) throw new Unreachable("Something other than the server answered.");
    return json;
  }
  throw new ApiError(response.status, json?.error ?? {}, Number(response.headers.get("Retry-After")) || 0);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
