import type { JWK } from "jose";
import type { Scalar } from "yaml";
import { isRefusal } from "../core/refusals";
import {
	type Configuration,
	configOf,
	expressionRoutes,
	fieldPosition,
	findJwks,
	type PluginEntry,
	type ServedJwks,
} from "../declarative/model";
import { isReference } from "../declarative/references";
import { type Edit, positionAt } from "../declarative/text";
import { isPrivate } from "../jwk/members";
import { nameOf, ROTATION_MARKS } from "../jwk/public-members";
import { configSchema } from "../schema/fields";
import { BadUse } from "./files";
import { parseJwks, thumbprint } from "./named-jwk";
import { likewise } from "./rotation-edits";
import { isWaiting, type PublishedJwk, withOldMarks } from "./rotation-rules";
import { signingOf } from "./signing";

/** Which plugin entries rotate. */
export interface Selection {
	/** Name of the plugin. */
	plugin: string;
	/** Only entries on this route or service. */
	route?: string;
	service?: string;
	/** Whether `iat`, `nbf` and `exp` of published keys are marks that version 0.2.0 wrote. */
	oldMarks?: boolean;
}

/** All entries of the plugin, selected or not. */
export function entriesOf(
	{ plugins }: Configuration,
	{ plugin }: Selection,
): PluginEntry[] {
	return plugins.filter(({ name }) => name === plugin);
}

export function select(
	configuration: Configuration,
	selection: Selection,
): PluginEntry[] {
	const { plugin, route, service } = selection;
	for (const file of configuration.files)
		for (const { message, offset } of file.faults) {
			const { line, column } = positionAt(file, offset);
			throw new BadUse(`${file.path}:${line}:${column}: ${message}`);
		}
	const on = (kind: PluginEntry["kind"], name: string | undefined) =>
		name === undefined
			? () => true
			: (entry: PluginEntry) => entry.kind === kind && entry.on?.name === name;
	const entries = entriesOf(configuration, selection).filter(
		(entry) => on("route", route)(entry) && on("service", service)(entry),
	);
	if (!entries.length)
		throw new BadUse(`no plugin entry of ${plugin} there that is enabled`);
	return entries;
}

/** Whether only the vault decides which key signs; `active_kid` would choose among those it has. */
export function inVault(entry: PluginEntry): boolean {
	const { private_jwk, active_kid } = configOf(entry);
	return isReference(private_jwk) && active_kid === undefined;
}

/** A JWK Set in a file. */
export interface PublishedSet {
	/** What it is called in messages. */
	what: string;
	/** Its keys, each with its thumbprint. */
	keys: { jwk: PublishedJwk; id: string }[];
	edit(keys: PublishedJwk[]): Edit;
}

/** The JWK Sets that the entries' `jku` lead to, each once. */
export async function setsOf(
	configuration: Configuration,
	entries: PluginEntry[],
): Promise<PublishedSet[]> {
	const served = new Map<Scalar, ServedJwks>();
	for (const entry of entries) {
		const { jku = configSchema.properties.jku.default } = configOf(entry);
		if (isReference(jku))
			throw new BadUse(
				`the jku of ${entry.scope} is a reference, so its JWK Set cannot be found: rotate by hand (docs/keys.md)`,
			);
		if (jku === "")
			throw new BadUse(
				`the jku of ${entry.scope} is empty, so its JWK Set cannot be found: rotate by hand (docs/keys.md)`,
			);
		const { served: set, winner, loser } = findJwks(configuration, jku);
		if (loser && winner)
			throw new BadUse(
				`at the jku of ${entry.scope} Kong chooses route ${winner.name}, not route ${loser.name}, which has the JWK Set: see config check`,
			);
		if (!set)
			throw new BadUse(
				`no route here serves the JWK Set at the jku of ${entry.scope}: ${notFoundAdvice(configuration)}`,
			);
		served.set(set.body, set);
	}
	return Promise.all([...served.values()].map(readSet));
}

/** What to do when no route serves a JWK Set. */
function notFoundAdvice(configuration: Configuration): string {
	const [route] = expressionRoutes(configuration);
	return route
		? `route ${route.name} has an expression, which is not read here, so rotate by hand (docs/keys.md)`
		: "give all files with --config";
}

async function readSet({
	route,
	plugin: { file },
	body,
}: ServedJwks): Promise<PublishedSet> {
	const what = `the JWK Set of route ${route.name}`;
	if (isReference(body.value))
		throw new BadUse(
			`${what} is a reference: without its keys here, rotate by hand (docs/keys.md)`,
		);
	const jwks = parseJwks(body.value, what);
	const json = JSON.parse(body.value);
	if (!Object.hasOwn(json, "keys"))
		throw new BadUse(`${what} is one JWK; see config check`);
	if (jwks.some(isPrivate))
		throw new BadUse(`${what} gives away a private key; see config check`);
	const keys = jwks.map(async (jwk: PublishedJwk) => {
		for (const mark of Object.values(ROTATION_MARKS))
			if (jwk[mark] !== undefined && typeof jwk[mark] !== "number")
				throw new BadUse(`${what}: ${mark} of ${nameOf(jwk)} must be a number`);
		return { jwk, id: await thumbprint(jwk, `${what}: ${nameOf(jwk)}`) };
	});
	return {
		what,
		keys: await Promise.all(keys),
		edit: (changed) => ({
			file,
			node: body,
			text: likewise(body, { ...json, keys: changed }),
		}),
	};
}

/** The same with the marks that version 0.2.0 wrote, if the user says that they are there. */
export async function markedSetsOf(
	configuration: Configuration,
	entries: PluginEntry[],
	{ oldMarks }: Pick<Selection, "oldMarks">,
): Promise<PublishedSet[]> {
	const sets = await setsOf(configuration, entries);
	if (!oldMarks) return sets;
	return sets.map((set) => ({
		...set,
		keys: set.keys.map(({ jwk, id }) => ({ jwk: withOldMarks(jwk), id })),
	}));
}

export type PublishedKey = PublishedSet["keys"][number];

/** The key to activate, as the JWK Sets have it; nothing when one of them does not. */
export async function targetOf(
	sets: PublishedSet[],
	key: JWK | undefined,
): Promise<PublishedKey | undefined> {
	const wanted = key && (await thumbprint(key, "the new key"));
	const found = sets.map(({ keys, what }) => {
		const [one, another] = keys.filter((published) =>
			wanted ? published.id === wanted : isWaiting(published.jwk),
		);
		if (another)
			throw new BadUse(
				`${what} has several keys to activate: name one with --key`,
			);
		return one;
	});
	if (new Set(found.map((one) => one?.id)).size > 1) return undefined;
	// Where it has been published last.
	const since = (key: PublishedKey | undefined) =>
		key?.jwk[ROTATION_MARKS.published] ?? 0;
	return found.sort((a, b) => since(b) - since(a))[0];
}

/** The key that signs until the new one does. */
export async function signerOf(
	entries: PluginEntry[],
	sets: PublishedSet[],
	target: PublishedKey,
	replaces: string | undefined,
): Promise<{ jwk: JWK; id: string }> {
	const signers = new Map<string, JWK>();
	for (const entry of entries) {
		const signing = signingOrBadUse(entry);
		if (signing.reference === undefined) {
			const jwk = { ...signing.jwk, kid: signing.kid };
			signers.set(await thumbprint(jwk, entry.scope), jwk);
			continue;
		}
		const kid = replaces ?? configOf(entry).active_kid;
		for (const { keys, what } of sets) {
			// The file does not show it: it is the one that neither waits nor has been replaced.
			const [one, another] = keys.filter((published) =>
				kid === undefined
					? published.id !== target.id &&
						published.jwk[ROTATION_MARKS.retirable] === undefined &&
						!isWaiting(published.jwk)
					: published.jwk.kid === kid,
			);
			if (!one || another)
				throw new BadUse(
					`${what} does not show which key signs now: name it with --replaces`,
				);
			signers.set(one.id, one.jwk);
		}
	}
	const [first, second] = [...signers];
	if (!first || second)
		throw new BadUse(
			`the plugin entries sign with different keys (${entries.map(({ scope }) => scope).join(", ")}): choose with --route or --service`,
		);
	return { id: first[0], jwk: first[1] };
}

export function signingOrBadUse(entry: PluginEntry) {
	try {
		return signingOf(configOf(entry));
	} catch (error) {
		if (!isRefusal(error)) throw error;
		const { file, line, column } = fieldPosition(entry, "private_jwk");
		throw new BadUse(`${file}:${line}:${column}: ${error.message}`);
	}
}

/** The entries that sign with a key, selected or not, as far as the files show. */
export async function usersOf(
	configuration: Configuration,
	selection: Selection,
	wanted: string,
): Promise<PluginEntry[]> {
	const users: PluginEntry[] = [];
	for (const entry of entriesOf(configuration, selection)) {
		const signing = signingOrBadUse(entry);
		if (signing.reference !== undefined || signing.jwk.kty === "oct") continue;
		if ((await thumbprint(signing.jwk, entry.scope)) === wanted)
			users.push(entry);
	}
	return users;
}

/** The entries that sign with a published key, as far as the files show: where a vault holds it, by its `kid`. */
export async function signsOn(
	configuration: Configuration,
	selection: Selection,
	{ jwk, id }: PublishedKey,
): Promise<PluginEntry[]> {
	const named = entriesOf(configuration, selection).filter((entry) => {
		const { private_jwk, active_kid, key_id } = configOf(entry);
		const kid = key_id ?? active_kid;
		return isReference(private_jwk) && kid !== undefined && kid === jwk.kid;
	});
	return [...(await usersOf(configuration, selection, id)), ...named];
}

/** `expires_in` of an entry's tokens, in seconds. */
export function lifetime(entry: PluginEntry): number {
	const { expires_in = configSchema.properties.expires_in.default } =
		configOf(entry);
	if (typeof expires_in === "number") return expires_in;
	const { file, line, column } = fieldPosition(entry, "expires_in");
	throw new BadUse(`${file}:${line}:${column}: expires_in is not a number`);
}
