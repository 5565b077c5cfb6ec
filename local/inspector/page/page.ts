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
import { type Change, type ComparedClaim, compareClaims } from "./claim-change";
import { claimOrigin } from "./claim-origin";
import { inPieces } from "./pieces";
import { type Shown, verdictOn } from "./verdict";

/** As many requests are listed; the backend keeps no more either. */
const LISTED = 50;

/** JSON of at most as many characters is shown in one line. */
const ONE_LINE = 60;

const SYMBOLS = { verified: "✓", invalid: "✗", unknown: "?" };

const CHANGES: Record<Change, string> = {
	kept: "= kept",
	changed: "≠ changed",
	added: "+ added",
	removed: "− removed",
};

const paste = byId("paste", HTMLTextAreaElement);
const tamper = byId("tamper", HTMLInputElement);
const list = byId("requests", HTMLTableSectionElement);

let settings: Settings;
/** The request whose token is shown while nothing is pasted. */
let chosen: ReceivedRequest | undefined;
/** What is said when none is chosen. */
let whyNone = "No token chosen.";
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
	for (const flow of settings.flows) {
		const group = byId(flow.status < 400 ? "accepted" : "refused");
		group.append(flowButton(flow));
	}
	byId("flows").hidden = !settings.flows.length;
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
		element("td", ...pieces(request.path)),
		element("td", ...pieces(request.consumer ?? "none")),
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

function choose(
	request: ReceivedRequest | undefined,
	row?: HTMLTableRowElement,
): void {
	chosen = request;
	for (const other of list.rows) {
		other.classList.toggle("chosen", other === row);
		const button = other.querySelector("button");
		button?.setAttribute("aria-pressed", String(other === row));
	}
	show();
}

function flowButton(flow: Settings["flows"][number]): HTMLButtonElement {
	const { name } = flow;
	const button = element("button", name);
	button.type = "button";
	button.addEventListener("click", async () => {
		following = true;
		reset();
		const outcome = byId("outcome");
		outcome.replaceChildren(element("p", `${name}: …`));
		const lines = await sendFlow(flow).catch((error) => [String(error)]);
		const [first = "", ...rest] = lines;
		outcome.replaceChildren(
			element("p", `${name}: ${first}`),
			...rest.map((line) => element("p", element("small", line))),
		);
	});
	return button;
}

/**
 * Has the backend send a flow: a browser cannot show its certificate, nor any header, across origins.
 *
 * @returns what became of it, in lines
 */
async function sendFlow({
	name,
	status: expected,
}: Settings["flows"][number]): Promise<string[]> {
	const url = `/inspector/flows/${encodeURIComponent(name)}`;
	const reply = await fetch(url, { method: "POST" });
	const answer = await reply.json();
	if (!reply.ok) return [answer.message];
	const { status, body, totalMs, verifyMs }: FlowOutcome = answer;
	const surprise = status === expected ? [] : [`${expected} was expected.`];
	if (verifyMs === undefined) {
		// The token of another request beside this answer would look like its own.
		whyNone = `None: the gateway answered “${name}” itself.`;
		choose(undefined);
		return [
			`${status} from the gateway itself; the backend did not see the request.`,
			...surprise,
			printable(body),
			`Time: ${inMs(totalMs)}, none of it in the backend.`,
		];
	}
	const { reason } = JSON.parse(body);
	return [
		reason
			? `${status} from the backend: ${printable(String(reason))}`
			: `${status}, and the backend verified the token.`,
		...surprise,
		`Time: ${inMs(totalMs)} in all; ${inMs(verifyMs)} to verify the token in the backend, ${inMs(totalMs - verifyMs)} for gateway, plugin and network.`,
	];
}

function inMs(milliseconds: number): string {
	return `${milliseconds.toFixed(1)} ms`;
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
	if (!request) return whyNone;
	const { time, path, status, reason, token, verifyMs } = request;
	return [
		`Of the request for ${printable(path)} at ${clock(time)};`,
		`the backend answered ${status}, after ${inMs(verifyMs)} of verifying.`,
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
			element(
				"tr",
				rowHeading(name),
				valueCell(
					value,
					name === "jku" ? "shown, never fetched: the URL above is used" : "",
				),
			),
		),
	);
	showClaims(token.claims);
}

/** Beside the claims of the token that the request came with, when it came with one. */
function showClaims(claims: DecodedToken["claims"]): void {
	const before = tokenIn(paste.value) ? undefined : decoded(chosen?.incoming);
	const compared = before
		? compareClaims(before.claims, claims)
		: Object.entries(claims).map(([name, outgoing]) => ({ name, outgoing }));
	byId("comparison").textContent = before ? summary(compared) : "";
	byId("claims-table").classList.toggle("compared", Boolean(before));
	const columns = before
		? ["Claim", "Incoming token", "Gateway's token", "Change", "From"]
		: ["Claim", "Value", "From"];
	byId("claims-head").replaceChildren(
		...columns.map((column) => {
			const cell = element("th", column);
			cell.scope = "col";
			return cell;
		}),
	);
	byId("claims").replaceChildren(
		...compared.map((claim: Partial<ComparedClaim> & { name: string }) => {
			const { name, incoming, outgoing, change } = claim;
			const cells = [valueCell(outgoing, timeNote(name, outgoing))];
			if (change) {
				const mark = element("td", CHANGES[change]);
				mark.className = change;
				cells.unshift(valueCell(incoming));
				cells.push(mark);
			}
			const row = element("tr", rowHeading(name), ...cells);
			const origin =
				change === "removed" ? "incoming token" : originOf(name, claims);
			row.append(element("td", ...pieces(origin)));
			// On a phone the columns have no heads.
			for (const [index, cell] of [...row.cells].entries())
				cell.dataset.column = columns[index];
			return row;
		}),
	);
}

function originOf(name: string, claims: DecodedToken["claims"]): string {
	return verdict?.signed ? claimOrigin(name, claims) : "unknown";
}

/** What the gateway made of the incoming token's claims. */
function summary(compared: Partial<ComparedClaim>[]): string {
	const counts = (Object.keys(CHANGES) as Change[]).map(
		(change) =>
			`${compared.filter((claim) => claim.change === change).length} ${change}`,
	);
	return `The request came with a token of its own, shown as it came, not verified here: ${counts.join(", ")}.`;
}

function timeNote(name: string, value: unknown): string {
	const words = timeInWords(name, value, Date.now() / 1000) ?? "";
	const date = words && dateOf(value);
	const local = { dateStyle: "medium", timeStyle: "medium" } as const;
	return date ? `${words} (${date.toLocaleString("en-GB", local)})` : words;
}

function rowHeading(name: string): HTMLTableCellElement {
	const heading = element("th", ...pieces(name));
	heading.scope = "row";
	return heading;
}

/** A value as JSON; none when there is no such member. */
function valueCell(value: unknown, note = ""): HTMLTableCellElement {
	if (value === undefined) return element("td", element("small", "none"));
	const line = JSON.stringify(value);
	const text = line.length <= ONE_LINE ? line : JSON.stringify(value, null, 1);
	const cell = element("td", printable(text));
	cell.className = "value";
	if (note) {
		const words = element("small", note);
		words.className = "note";
		cell.append(words);
	}
	return cell;
}

/** Text that breaks between its parts, and within one only when that is too long for a phone. */
function pieces(text: string): HTMLSpanElement[] {
	return inPieces(printable(text)).map((piece) => {
		const span = element("span", piece.text);
		if (piece.isWhole) span.className = "whole";
		return span;
	});
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
		const note = row.querySelector(".note");
		const claim = claims[index];
		if (note && claim) note.textContent = timeNote(...claim);
	}
}

function tampered(token: string, { claims }: DecodedToken): string {
	const client_id = `${claims.client_id}, tampered`;
	return withClaims(token, { ...claims, client_id });
}

function decoded(token = ""): DecodedToken | undefined {
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
