/** What Kong loads and runs in its own process. */
import * as lrucache from "resty.lrucache";
import { decide, type Step } from "../core/decide";
import { type Decision, refuse } from "../core/decisions";
import { isRefusal, type Refusal, refused } from "../core/refusals";
import { isUsable, type Life, lifeOf } from "../core/reuse";
import {
	prepareSettings,
	requireSettings,
	type Settings,
} from "../core/settings";
import type { IssuedToken, UnsignedToken } from "../core/token";
import { given } from "../core/values";
import type { ConfigFields } from "../schema/fields";
import { type Key, loadKey } from "./key";
import { luaPlatform } from "./platform";
import { type AskedFacts, learn, noFacts } from "./questions";
import { printable } from "./text";

/** See plugins/x-custom-jwt/index.ts. */
export const PRIORITY = 1025;

/** Filled in by the build. */
export const VERSION = "VERSION";

/** A plugin entry's configuration, as Kong hands it to Lua plugins. */
type Conf = ConfigFields & {
	service_id?: string;
	route_id?: string;
	consumer_id?: string;
};

/** A plugin entry, prepared. */
interface Entry {
	/** What the key was loaded from: Kong writes a rotated secret of a vault into the same configuration. */
	keyText: string;
	verbose: boolean;
	/** Why the configuration cannot be used. */
	refusal?: Refusal;
	settings?: Settings;
	key?: Key;
	/** For Kong's log at the next request. */
	warnings: string[];
	hasWarnedOfToken: boolean;
	tokens?: lrucache.Cache<string, KeptToken>;
}

interface KeptToken {
	life: Life;
	token: IssuedToken;
}

/**
 * One for each plugin entry of this nginx worker; Kong makes a new configuration when one is changed. An entry that
 * does not fit loads its key with each request.
 */
const entries = lrucache.new<Conf, Entry>(10_000);

/** Phase access: gives the backend a token for whom Kong authenticated, or ends the request. */
export function access(conf: Conf): void {
	let entry: Entry | undefined;
	let decision: Decision;
	try {
		entry = entryOf(conf);
		decision = drive(entry);
	} catch (thrown) {
		decision = refusal(entry, thrown);
	}
	logWarnings(entry);
	try {
		tell(decision);
	} catch (thrown) {
		decision = refusal(entry, thrown);
	}
	const { exit } = decision;
	if (exit) kong.response.exit(exit.status, exit.body, exit.headers);
}

function refusal(entry: Entry | undefined, thrown: unknown): Decision {
	const cause = isRefusal(thrown)
		? thrown
		: // Its text may quote what it choked on.
			refused("unexpected", { what: placeIn(thrown) });
	const decision = refuse(cause, {
		verbose: entry?.verbose === true,
		challenge: entry?.settings?.challenge,
	});
	for (const { level, message } of decision.log) log(level, message);
	return { ...decision, log: [] };
}

/** Where something was thrown, as Lua writes it before its message. */
function placeIn(thrown: unknown): string {
	const message = typeof thrown === "string" ? thrown : "";
	return string.match(message, "^[^%s]*:%d+") ?? "error";
}

function entryOf(conf: Conf): Entry {
	const known = entries.get(conf);
	if (known && known.keyText === conf.private_jwk) return known;
	const entry = prepare(conf);
	entries.set(conf, entry);
	return entry;
}

function prepare(conf: Conf): Entry {
	const fields: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(conf))
		if (given(value) !== undefined) fields[name] = value;
	const config = fields as Conf;
	const { service_id, route_id, consumer_id } = config;
	const entry: Entry = {
		keyText: conf.private_jwk,
		verbose: config.verbose === true,
		warnings: [],
		hasWarnedOfToken: false,
	};
	try {
		let key: Key | undefined;
		const settings = requireSettings(
			prepareSettings({
				fields: config,
				scope: { service_id, route_id, consumer_id },
				platform: luaPlatform,
				loadKey: () => {
					key = loadKey(config);
					return key.info;
				},
				ownInstance: true,
				faults: [],
			}),
		);
		entry.key = key;
		entry.settings = settings;
		entry.warnings = settings.warnings.map(({ message }) => message);
		if (settings.reuse_for > 0)
			entry.tokens = lrucache.new(settings.reuse_max_tokens);
	} catch (thrown) {
		if (!isRefusal(thrown)) throw thrown;
		entry.refusal = thrown;
	}
	return entry;
}

function drive(entry: Entry): Decision {
	const { settings, key } = entry;
	if (!settings || !key)
		throw entry.refusal ?? refused("unexpected", { what: "no settings" });
	const facts = noFacts();
	let step = decide(settings);
	while (step.do !== "end") step = carryOut(step, facts, entry, settings, key);
	return step.decision;
}

function carryOut(
	step: Exclude<Step, { do: "end" }>,
	facts: AskedFacts,
	entry: Entry,
	settings: Settings,
	key: Key,
): Step {
	switch (step.do) {
		case "ask":
			learn(facts, step.questions);
			return step.next(facts);
		case "recall":
			return step.next(recall(entry, step.key));
		case "sign": {
			const kept = step.key === undefined ? undefined : recall(entry, step.key);
			return step.next(kept ?? sign(entry, settings, key, step));
		}
	}
}

/** The token of a key, unless it may not be given any more or the next one is due. */
function recall(entry: Entry, key: string): IssuedToken | undefined {
	const kept = entry.tokens?.get(key);
	const now = luaPlatform.now();
	return kept && isUsable(kept.life, now) && now < kept.life.nextDue
		? kept.token
		: undefined;
}

function sign(
	entry: Entry,
	settings: Settings,
	key: Key,
	wanted: { key: string | undefined; issue: () => UnsignedToken },
): IssuedToken {
	const unsigned = wanted.issue();
	const token = unsigned.sign(key.sign(unsigned.signingInput));
	if (token.warning !== undefined && !entry.hasWarnedOfToken) {
		entry.hasWarnedOfToken = true;
		entry.warnings.push(token.warning);
	}
	const now = luaPlatform.now();
	const life = lifeOf(
		settings.reuse_for,
		unsigned.exp,
		now,
		luaPlatform.random(),
	);
	if (life && wanted.key !== undefined)
		entry.tokens?.set(wanted.key, { life, token }, (life.until - now) / 1000);
	return token;
}

function logWarnings(entry: Entry | undefined): void {
	if (!entry || entry.warnings.length === 0) return;
	const { warnings } = entry;
	entry.warnings = [];
	for (const message of warnings) log("warn", message);
}

/** Longer text is cut: a client may choose part of an error's text. In bytes. */
const MAX_LINE_LENGTH = 1000;

function log(level: "info" | "warn" | "err", message: string): void {
	kong.log[level](printable(message.slice(0, MAX_LINE_LENGTH)));
}

/** Carries a decision out, but for the end of the request. */
function tell(decision: Decision): void {
	for (const { level, message } of decision.log) log(level, message);
	for (const [name, value] of decision.logValues)
		kong.log.set_serialize_value(name, value);
	if (decision.exit) return;
	for (const name of decision.clearedHeaders)
		kong.service.request.clear_header(name);
	for (const [name, value] of decision.upstreamHeaders)
		kong.service.request.set_header(name, value);
	for (const [name, value] of decision.downstreamHeaders)
		kong.response.set_header(name, value);
}
