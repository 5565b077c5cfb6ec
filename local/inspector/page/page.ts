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
import { type Change, compareMembers } from "./member-change";
import { type Telling, tellingOf, timesOf, wordsOf } from "./outcome";
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
/** The request whose tokens are shown while nothing is pasted. */
let chosen: ReceivedRequest | undefined;
/** What the gateway answered itself, when that is shown instead. */
let answered: FlowOutcome | undefined;
/** As many flows were sent; what became of any but the last is not shown. */
let sent = 0;
/** Whether the newest request is chosen as it comes. */
let following = true;
/** The gateway's token on the page, or the pasted one; tampered with or not. */
let shown = "";
/** The token that the request came with. */
let incoming = "";
/** Times in words, which go on. */
let notes: { words: HTMLElement; tell(): string }[] = [];
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
	copyButton("copy-incoming", () => incoming);
	copyButton("copy-token", () => shown);
	setInterval(tick, 1000);
	listen();
}

/** Takes requests as they come; the browser connects again by itself. */
function listen(): void {
	const events = new EventSource("/inspector/events");
	events.addEventListener("open", () => {
		connection("Live: new requests appear by themselves.");
	});
	events.addEventListener("error", () => {
		connection("The sample backend is away; trying again …", true);
	});
	events.addEventListener("requests", ({ data }) => {
		list.replaceChildren();
		byId("no-requests").hidden = false;
		for (const request of JSON.parse(data)) add(request);
	});
	events.addEventListener("request", ({ data }) => add(JSON.parse(data)));
}

function connection(words: string, isBad = false): void {
	const told = byId("connection");
	told.textContent = isBad ? `✗ ${words}` : words;
	told.classList.toggle("bad", isBad);
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
		choose(request);
	});
	row.dataset.time = String(request.time);
	list.prepend(row);
	while (list.rows.length > LISTED) list.deleteRow(-1);
	// What somebody is looking into stays where it is.
	if (following && !paste.value && !tamper.checked) choose(request);
	else markChosen();
}

function reset(): void {
	paste.value = "";
	tamper.checked = false;
	show();
}

function choose(
	request: ReceivedRequest | undefined,
	answer?: FlowOutcome,
): void {
	chosen = request;
	answered = answer;
	markChosen();
	show();
}

function markChosen(): void {
	for (const row of list.rows) {
		const isChosen = row.dataset.time === String(chosen?.time);
		row.classList.toggle("chosen", isChosen);
		const button = row.querySelector("button");
		button?.setAttribute("aria-pressed", String(isChosen));
	}
}

function flowButton(flow: Settings["flows"][number]): HTMLButtonElement {
	const button = element("button", flow.name);
	button.type = "button";
	button.addEventListener("click", async () => {
		following = true;
		reset();
		const turn = ++sent;
		byId("outcome").replaceChildren(element("p", `${flow.name}: sent …`));
		byId("times").hidden = true;
		const sending = sendFlow(flow.name);
		const outcome = await sending.catch((error: Error) => error);
		if (turn === sent) showOutcome(flow, outcome);
	});
	return button;
}

/** Has the backend send a flow: a browser cannot show its certificate, nor any header, across origins. */
async function sendFlow(name: string): Promise<FlowOutcome> {
	const url = `/inspector/flows/${encodeURIComponent(name)}`;
	const reply = await fetch(url, { method: "POST" }).catch(() => {
		throw new Error("The sample backend is away.");
	});
	const answer = await reply.json();
	if (!reply.ok) throw new Error(answer.message);
	return answer;
}

function showOutcome(
	flow: Settings["flows"][number],
	outcome: FlowOutcome | Error,
): void {
	if (outcome instanceof Error) {
		byId("outcome").replaceChildren(
			told({
				state: "unknown",
				headline: `${flow.name}: not sent`,
				detail: outcome.message,
			}),
		);
		choose(undefined);
		return;
	}
	byId("outcome").replaceChildren(told(tellingOf(flow, outcome)));
	byId("times-of-parts").replaceChildren(
		...timesOf(outcome).map(({ part, ms }) => {
			const heading = element("th", part);
			heading.scope = "row";
			return element("tr", heading, element("td", `${ms} ms`));
		}),
	);
	byId("times").hidden = false;
	// The token of another request beside this outcome would look like its own.
	const { backend } = outcome;
	choose(backend?.request, backend ? undefined : outcome);
}

/** Shows the pasted token, else those of the chosen request, else what the gateway answered. */
function show(): void {
	const pasted = tokenIn(paste.value);
	const token = pasted || chosen?.token || "";
	incoming = (!pasted && (chosen ?? answered)?.incoming) || "";
	byId("source").replaceChildren(
		pasted ? element("p", "Pasted.") : description(),
	);
	byId("token").hidden = !token && !incoming;
	const original = decoded(token);
	byId("tamper-label").hidden = !original;
	shown = original && tamper.checked ? tampered(token, original) : token;
	byId("verdict").replaceChildren(...(shown ? [told()] : []));
	// First, as it drops the verdict on the token before.
	verify();
	showTokens();
}

function description(): HTMLElement {
	if (answered) {
		const { status, body } = answered;
		return told({
			state: status < 400 ? "verified" : "invalid",
			headline: `${status}, “${wordsOf(body)}”`,
			detail: `The gateway answered itself, without a token of its own. The request came with ${
				incoming
					? "the token below, shown as it came, not verified here."
					: "no token."
			}`,
		});
	}
	if (!chosen) return element("p", "No token chosen.");
	const { time, path, status, reason, token } = chosen;
	const words = [
		`Of the request for ${printable(path)} at ${clock(time)};`,
		`the backend answered ${status}.`,
		reason ? `It said: ${printable(reason)}.` : "",
		token ? "" : "The request had no header X-Custom-Jwt.",
	];
	return element("p", words.join(" "));
}

/** Tables and raw tokens; where claims came from is told once the verdict is there. */
function showTokens(): void {
	const before = decoded(incoming);
	const after = decoded(shown);
	notes = [];
	byId("decoded").hidden = !before && !after;
	showMembers("claims", before?.claims, after?.claims);
	showMembers("header", before?.header, after?.header);
	byId("comparison").textContent =
		before && after ? summary(before.claims, after.claims) : "";
	byId("origins").hidden = !after;
	showRaw("incoming", incoming);
	showRaw("token", shown);
}

function showRaw(which: "incoming" | "token", token: string): void {
	byId(`${which}-as-sent`).hidden = !token;
	const parts = decoded(token)?.parts;
	const classes = ["header-part", "claims-part", "signature-part"];
	byId(`${which}-raw`).replaceChildren(
		...(parts ?? [token]).flatMap((part, index) => {
			const text = element("span", printable(part));
			if (parts) text.className = classes[index] ?? "";
			return index ? [".", text] : [text];
		}),
	);
}

/** Fills a table with what either token has; side by side, with what changed, when there are both. */
function showMembers(
	table: "claims" | "header",
	before: Record<string, unknown> | undefined,
	after: Record<string, unknown> | undefined,
): void {
	const isCompared = before && after;
	const columns = [
		table === "claims" ? "Claim" : "Parameter",
		...(before ? ["Incoming token"] : []),
		...(after ? [before ? "Gateway's token" : "Value"] : []),
		...(isCompared ? ["Change"] : []),
		...(after && table === "claims" ? ["From"] : []),
	];
	byId(`${table}-head`).replaceChildren(
		...columns.map((column) => {
			const cell = element("th", column);
			cell.scope = "col";
			return cell;
		}),
	);
	byId(table).replaceChildren(
		...compareMembers(before ?? {}, after ?? {}).map((member) => {
			const { name, change } = member;
			const heading = element("th", ...pieces(name));
			heading.scope = "row";
			const row = element("tr", heading);
			if (before) row.append(valueCell(name, member.incoming, !after));
			if (after) row.append(valueCell(name, member.outgoing));
			if (isCompared) {
				const mark = element("td", CHANGES[change]);
				mark.className = `change ${change}`;
				row.append(mark);
			}
			if (after && table === "claims") {
				const isGone = change === "removed";
				const origin = isGone ? "incoming token" : originOf(name, after);
				row.append(element("td", element("div", ...pieces(origin))));
			}
			// Where there is no room for columns, each value says which it is.
			for (const [index, cell] of [...row.cells].entries())
				cell.dataset.column = columns[index]?.split(" ")[0];
			return row;
		}),
	);
}

function originOf(name: string, claims: DecodedToken["claims"]): string {
	return verdict?.signed ? claimOrigin(name, claims) : "unknown";
}

/** What the gateway made of the incoming token's claims. */
function summary(
	before: DecodedToken["claims"],
	after: DecodedToken["claims"],
): string {
	const compared = compareMembers(before, after);
	const counts = (Object.keys(CHANGES) as Change[]).map(
		(change) =>
			`${compared.filter((claim) => claim.change === change).length} ${change}`,
	);
	return `The request came with a token of its own, shown as it came, not verified here: ${counts.join(", ")}.`;
}

function timeNote(name: string, value: unknown, hasDate: boolean): string {
	const words = timeInWords(name, value, Date.now() / 1000) ?? "";
	const date = words && hasDate && dateOf(value);
	const local = { dateStyle: "medium", timeStyle: "medium" } as const;
	return date ? `${words} (${date.toLocaleString("en-GB", local)})` : words;
}

/** A value as JSON, and what it means, where there is room for it with a date; none when there is no such member. */
function valueCell(
	name: string,
	value: unknown,
	hasDate = true,
): HTMLTableCellElement {
	if (value === undefined) {
		const none = element("td", element("small", "none"));
		none.className = "none";
		return none;
	}
	const line = JSON.stringify(value);
	const text = line.length <= ONE_LINE ? line : JSON.stringify(value, null, 1);
	const content = element("div", ...pieces(text));
	const cell = element("td", content);
	cell.className = "value";
	const tell = () =>
		name === "jku"
			? "shown, never fetched: the URL above is used"
			: timeNote(name, value, hasDate);
	if (tell()) {
		const words = element("small", tell());
		content.append(words);
		notes.push({ words, tell });
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

/** A verdict or an outcome: a symbol and words, so that its colour says nothing new. */
function told(telling?: Telling): HTMLParagraphElement {
	if (!telling) return element("p", "Checking …");
	const { state, headline, detail } = telling;
	const first = element("strong", `${SYMBOLS[state]} ${printable(headline)}`);
	const text = element("p", first, printable(detail));
	first.className = state;
	text.className = state;
	return text;
}

function copyButton(id: string, token: () => string): void {
	byId(id).addEventListener("click", async () => {
		const { clipboard } = navigator;
		const copied = byId("copied");
		copied.textContent = "";
		copied.textContent = await clipboard.writeText(token()).then(
			() => "Copied.",
			() => "Not copied: this browser does not let the page. Select the text.",
		);
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
		const found = await verdictOn(token, expected());
		if (token === shown) verdict = found;
	}
	verifying = false;
	if (verdict) showVerdict(verdict);
}

/** What the token on the page is verified against: what its request needed, when that is known. */
function expected(): Settings {
	const own = paste.value ? undefined : chosen?.expectations;
	return own ? { ...settings, expectations: own } : settings;
}

function showVerdict(verdict: Shown): void {
	byId("verdict").replaceChildren(told(verdict));
	showTokens();
}

/** Once a second: times go on, and a token may expire while it is looked at. */
function tick(): void {
	const expiry = Number(decoded(shown)?.claims.exp);
	if (verdict?.state === "verified" && expiry <= Date.now() / 1000) verify();
	for (const { words, tell } of notes) words.textContent = tell();
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
	connection(error.message, true);
});
