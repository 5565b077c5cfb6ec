/** The inspector page. All that is shown of a token is untrusted: it only ever becomes text. */

import { printable } from "../../../jwk/printable";
import { dateOf, timeInWords } from "../../../jwk/time";
import {
	type DecodedToken,
	decodeToken,
	tokenIn,
	withClaims,
} from "../../../jwk/token";
import type { FlowOutcome, ReceivedRequest, Settings } from "../protocol";
import { claimOrigin } from "./claim-origin";
import { type Shown, verdictOn } from "./verdict";

/** As many requests are listed; the backend keeps no more either. */
const LISTED = 50;

const SYMBOLS = { verified: "✓", invalid: "✗", unknown: "?" };

const paste = byId("paste", HTMLTextAreaElement);
const tamper = byId("tamper", HTMLInputElement);
const list = byId("requests", HTMLTableSectionElement);

let settings: Settings;
/** The request whose token is shown while nothing is pasted. */
let chosen: ReceivedRequest | undefined;
/** Whether the newest request is chosen as it comes. */
let following = true;
/** The token on the page, tampered with or not. */
let shown = "";
let verdict: Shown | undefined;

async function main(): Promise<void> {
	const reply = await fetch("/inspector/settings");
	if (!reply.ok) throw new Error((await reply.json()).message);
	settings = await reply.json();
	byId("jwks-url").textContent = settings.jwksUrl;
	byId("flows").replaceChildren(...settings.flows.map(flowButton));
	if (!settings.flows.length)
		byId("outcome").textContent =
			"This backend cannot send requests itself: use the curl commands of docs/use-cases.md.";
	paste.addEventListener("input", () => {
		tamper.checked = false;
		show();
	});
	tamper.addEventListener("change", show);
	byId("clear").addEventListener("click", () => {
		reset();
		paste.focus();
	});
	setInterval(tick, 1000);
	listen();
}

/** Takes requests as they come; the browser connects again by itself. */
function listen(): void {
	const events = new EventSource("/inspector/events");
	const connection = byId("connection");
	events.addEventListener("open", () => {
		connection.textContent = "Live: new requests appear by themselves.";
	});
	events.addEventListener("error", () => {
		connection.textContent = "The sample backend is away; trying again …";
	});
	events.addEventListener("requests", ({ data }) => {
		list.replaceChildren();
		for (const request of JSON.parse(data)) add(request);
	});
	events.addEventListener("request", ({ data }) => add(JSON.parse(data)));
}

function add(request: ReceivedRequest): void {
	byId("no-requests").hidden = true;
	const time = element("button", clock(request.time));
	const row = element(
		"tr",
		element("td", time),
		element("td", printable(request.path)),
		element("td", printable(request.consumer ?? "none")),
		element("td", String(request.status)),
	);
	row.lastElementChild?.classList.add(
		request.status < 400 ? "fine" : "refused",
	);
	time.type = "button";
	time.ariaLabel = `Show the token of ${printable(request.path)}, ${time.textContent}`;
	time.addEventListener("click", () => {
		following = row === list.firstElementChild;
		reset();
		choose(request, row);
	});
	list.prepend(row);
	while (list.rows.length > LISTED) list.deleteRow(-1);
	// What somebody is looking into stays where it is.
	if (following && !paste.value && !tamper.checked) choose(request, row);
}

function reset(): void {
	paste.value = "";
	tamper.checked = false;
	show();
}

function choose(request: ReceivedRequest, row: HTMLTableRowElement): void {
	chosen = request;
	for (const other of list.rows) {
		other.classList.toggle("chosen", other === row);
		const button = other.querySelector("button");
		button?.setAttribute("aria-pressed", String(other === row));
	}
	show();
}

function flowButton(name: string): HTMLButtonElement {
	const button = element("button", name);
	button.type = "button";
	button.addEventListener("click", async () => {
		following = true;
		reset();
		const outcome = byId("outcome");
		outcome.textContent = `${name}: …`;
		outcome.textContent = `${name}: ${await sendFlow(name).catch(String)}`;
	});
	return button;
}

/** Has the backend send a flow: a browser cannot show its certificate, nor any header, across origins. */
async function sendFlow(name: string): Promise<string> {
	const url = `/inspector/flows/${encodeURIComponent(name)}`;
	const reply = await fetch(url, { method: "POST" });
	const answer = await reply.json();
	if (!reply.ok) return answer.message;
	const { status, body }: FlowOutcome = answer;
	const { jwt, reason } = JSON.parse(body);
	if (jwt) return `${status}, and the backend verified the token.`;
	if (reason) return `${status} from the backend: ${reason}`;
	return `${status} from the gateway itself; the backend did not see the request. ${printable(body)}`;
}

/** Shows the pasted token, else that of the chosen request. */
function show(): void {
	const pasted = tokenIn(paste.value);
	const token = pasted || chosen?.token || "";
	byId("source").textContent = pasted ? "Pasted." : describe(chosen);
	byId("token").hidden = !token;
	if (!token) {
		shown = "";
		byId("verdict").replaceChildren();
		return;
	}
	const original = decoded(token);
	byId("tamper-label").hidden = !original;
	shown = original && tamper.checked ? tampered(token, original) : token;
	byId("verdict").replaceChildren(element("p", "Checking …"));
	// First, as it drops the verdict on the token before.
	verify();
	showToken();
}

function describe(request: ReceivedRequest | undefined): string {
	if (!request) return "No token chosen.";
	const { time, path, status, reason, token } = request;
	return [
		`Of the request for ${printable(path)} at ${clock(time)},`,
		`which the backend answered with ${status}.`,
		reason ? `It said: ${printable(reason)}.` : "",
		token ? "" : "The request had no header X-Custom-Jwt.",
	].join(" ");
}

/** Raw token and tables; where claims came from is told once the verdict is there. */
function showToken(): void {
	const token = decoded(shown);
	const parts = token?.parts ?? [shown];
	const classes = token ? ["header-part", "claims-part", "signature-part"] : [];
	byId("raw").replaceChildren(
		...parts.flatMap((part, index) => {
			const text = element("span", printable(part));
			if (classes[index]) text.className = classes[index];
			return index ? [".", text] : [text];
		}),
	);
	byId("decoded").hidden = !token;
	if (!token) return;
	byId("header").replaceChildren(
		...Object.entries(token.header).map(([name, value]) =>
			member(
				name,
				value,
				name === "jku" ? "shown, never fetched: the URL above is used" : "",
			),
		),
	);
	byId("claims").replaceChildren(
		...Object.entries(token.claims).map(([name, value]) => {
			const claim = member(name, value, timeNote(name, value));
			const origin = verdict?.signed
				? claimOrigin(name, token.claims)
				: "unknown";
			claim.append(element("td", origin));
			return claim;
		}),
	);
}

function timeNote(name: string, value: unknown): string {
	const words = timeInWords(name, value, Date.now() / 1000) ?? "";
	const date = words && dateOf(value);
	const local = { dateStyle: "medium", timeStyle: "medium" } as const;
	return date ? `${words} (${date.toLocaleString("en-GB", local)})` : words;
}

function member(
	name: string,
	value: unknown,
	note: string,
): HTMLTableRowElement {
	const heading = element("th", printable(name));
	heading.scope = "row";
	const cell = element("td", printable(JSON.stringify(value, null, 1)));
	cell.className = "value";
	if (note) cell.append(element("small", note));
	return element("tr", heading, cell);
}

let verifying = false;

/** One verification at a time; of the tokens that come meanwhile only the last one gets its own. */
async function verify(): Promise<void> {
	verdict = undefined;
	if (verifying) return;
	verifying = true;
	while (shown && !verdict) {
		const token = shown;
		const found = await verdictOn(token, settings);
		if (token === shown) verdict = found;
	}
	verifying = false;
	if (verdict) showVerdict(verdict);
}

function showVerdict({ state, headline, detail }: Shown): void {
	const text = element("p", element("strong", `${SYMBOLS[state]} ${headline}`));
	text.append(printable(detail));
	text.className = state;
	byId("verdict").replaceChildren(text);
	showToken();
}

/** Once a second: times go on, and a token may expire while it is looked at. */
function tick(): void {
	const token = decoded(shown);
	if (!token) return;
	const expired = Number(token.claims.exp) <= Date.now() / 1000;
	if (verdict?.state === "verified" && expired) {
		verify();
		return;
	}
	const claims = Object.entries(token.claims);
	for (const [index, row] of [...byId("claims").children].entries()) {
		const note = row.querySelector("small");
		const claim = claims[index];
		if (note && claim) note.textContent = timeNote(...claim);
	}
}

function tampered(token: string, { claims }: DecodedToken): string {
	const client_id = `${claims.client_id}, tampered`;
	return withClaims(token, { ...claims, client_id });
}

function decoded(token: string): DecodedToken | undefined {
	try {
		return decodeToken(token);
	} catch {
		return undefined;
	}
}

/** Local time of day, on 24 hours. */
function clock(milliseconds: number): string {
	return new Date(milliseconds).toLocaleTimeString("en-GB");
}

function byId(id: string): HTMLElement;
function byId<T extends HTMLElement>(id: string, type: new () => T): T;
function byId(id: string, type: new () => HTMLElement = HTMLElement) {
	const found = document.getElementById(id);
	if (found instanceof type) return found;
	throw new Error(`the page has no ${type.name} #${id}`);
}

function element<K extends keyof HTMLElementTagNameMap>(
	name: K,
	...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
	const made = document.createElement(name);
	made.append(...children);
	return made;
}

main().catch((error: Error) => {
	byId("connection").textContent = error.message;
});
