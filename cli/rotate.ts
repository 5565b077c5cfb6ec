import { createPublicKey, type JsonWebKey } from "node:crypto";
import { FILE_HEADERS_ONLY, formatPatch, structuredPatch } from "diff";
import type { JWK } from "jose";
import { isScalar, type Scalar, visit } from "yaml";
import {
	type Configuration,
	configOf,
	type Edit,
	fieldNode,
	fieldPosition,
	type PluginEntry,
	type Position,
	positionAt,
	positionOf,
	type ServedJwks,
	servedJwks,
} from "../declarative/text";
import { Misconfigured } from "../plugins/x-custom-jwt/errors";
import { configSchema } from "../schema/fields";
import { BadUse } from "./files";
import {
	checkPrivate,
	isPrivate,
	nameOf,
	PRIVATE_MEMBERS,
	parseJwks,
	publicHalf,
	thumbprint,
} from "./jwk";
import { quoted, when } from "./print";
import { isReference, signingOf } from "./signing";

/*
 * A rotation in three steps, each of which leaves every token verifiable. What was done when stands in
 * the public JWKs themselves, so that it goes wherever the configuration goes; verifiers ignore members
 * they do not know (RFC 7517 §4):
 *
 *   iat  published: when the key joined the JWK Set
 *   nbf  activated: when it began to sign
 *   exp  replaced: when the last token it signed has expired, and it may leave
 */

/** A JWK of a JWK Set with what is written in it about its rotation. */
interface PublishedJwk extends JWK {
	iat?: number;
	nbf?: number;
	exp?: number;
}

/** Which plugin entries rotate. */
export interface Selection {
	/** Name of the plugin. */
	plugin: string;
	/** Only entries on this route or service. */
	route?: string;
	service?: string;
}

/** What a step did, or why it did not. */
export interface Outcome {
	done: boolean;
	message: string;
	/** What else the user has to do or to know. */
	notes: string[];
	/** When the step, or the next one, is allowed: seconds since the epoch. */
	allowedAt?: number;
	edits: Edit[];
}

/** What the steps wait for. */
export interface Delays {
	/** How long backends may keep a JWK Set, in seconds. */
	cacheMaxAge: number;
	/** Time for a deployment to reach all data planes, in seconds. */
	margin: number;
}

/**
 * Publishes a key: its public half joins the JWK Sets of the selected entries. Nothing else changes.
 *
 * @param key the new key, private or public
 * @param now seconds since the epoch
 * @throws {BadUse} when the configuration or the key cannot be used
 */
export async function publish(
	configuration: Configuration,
	selection: Selection,
	key: JWK,
	{ cacheMaxAge, margin }: Delays,
	now: number,
): Promise<Outcome> {
	if (isPrivate(key)) checkPrivate(key, "the new key");
	const half = publicHalf(key, "the new key");
	if (half.kid === undefined)
		throw new BadUse("the new key has no kid: verifiers could not find it");
	const wanted = await thumbprint(key, "the new key");
	const edits: Edit[] = [];
	const entries = select(configuration, selection);
	for (const set of await setsOf(configuration, entries)) {
		if (set.keys.some(({ id }) => id === wanted)) continue;
		if (set.keys.some(({ jwk }) => jwk.kid === half.kid))
			throw new BadUse(
				`${set.what} has another ${nameOf(half)}: give the new key a kid of its own`,
			);
		const added = { ...half, iat: Math.ceil(now) };
		edits.push(set.edit([...set.keys.map(({ jwk }) => jwk), added]));
	}
	if (!edits.length) return no(`${nameOf(half)} is published already`);
	const allowedAt = Math.ceil(now) + cacheMaxAge + margin;
	const at = when(allowedAt, now);
	return {
		done: true,
		message: `${nameOf(half)} joins the JWK Set; signing is unchanged`,
		notes: [
			DEPLOY,
			entries.some(inVault)
				? `next step: put the private key into the vault ${at} or later, and activate when every data plane has it`
				: `next step: activate, ${at} or later`,
		],
		allowedAt,
		edits,
	};
}

/** The algorithm a new key is for when nobody says: that of the key that signs now. */
export async function currentAlg(
	configuration: Configuration,
	selection: Selection,
): Promise<string> {
	const entries = select(configuration, selection);
	for (const entry of entries) {
		const signing = signingOrBadUse(entry);
		if (signing.reference === undefined) return signing.alg;
	}
	const [set] = await setsOf(configuration, entries);
	const alg = set?.keys[0]?.jwk.alg;
	if (alg) return alg;
	throw new BadUse("the key that signs now has no alg: give one with --alg");
}

const DEPLOY = "deploy it now: the times count from now";

/** Whether only the vault decides which key signs; `active_kid` would choose among those it has. */
function inVault(entry: PluginEntry): boolean {
	const { private_jwk, active_kid } = configOf(entry);
	return isReference(private_jwk) && active_kid === undefined;
}

/** What `activate` may be told. */
export interface ActivateOptions extends Delays {
	/** The new key; needed, private, when the configuration holds the key itself. */
	key?: JWK;
	/** `kid` of the key that signs now; found out where the configuration holds the key. */
	replaces?: string;
	/** Whether to go on although backends may not have the key yet. */
	force: boolean;
}

/**
 * Activates a published key: it signs from now on. Where a vault holds the private key this records that
 * it does, and so when the old one may leave.
 *
 * @throws {BadUse} when the configuration or the key cannot be used
 */
export async function activate(
	configuration: Configuration,
	selection: Selection,
	options: ActivateOptions,
	now: number,
): Promise<Outcome> {
	const { key, cacheMaxAge, margin, force } = options;
	const entries = select(configuration, selection);
	const sets = await setsOf(configuration, entries);
	const target = await targetOf(sets, key);
	if (!target)
		return no(
			key
				? `${nameOf(key)} is not in the JWK Set: publish it first`
				: "no key in the JWK Set waits to be activated: publish one first",
		);
	const name = nameOf(target.jwk);
	const old = await signerOf(entries, sets, target, options.replaces);
	if (old.id === target.id) return no(`${name} is the one that signs already`);
	const { iat, exp: replaced } = target.jwk;
	// A key that signed before this tool came is known to all backends: going back to it is allowed.
	if (iat === undefined && replaced === undefined && !force)
		return no(
			`${name} does not say since when it is published (iat): --force when all backends have it`,
		);
	const allowedAt = (iat ?? 0) + cacheMaxAge + margin;
	if (now < allowedAt && !force)
		return {
			...no(
				`${name} was published ${when(iat ?? 0, now)}, and it takes ${cacheMaxAge + margin} seconds until all backends have it: activate is allowed ${when(allowedAt, now)}`,
			),
			allowedAt,
		};

	const edits = await signWith(configuration, entries, target.jwk, key);
	const users = await usersOf(configuration, selection, old.id);
	const others = users.filter((entry) => !entries.includes(entry));
	// Of all entries: one that has been activated before may have signed with the old key until then.
	const lifetimes = entriesOf(configuration, selection).map(lifetime);
	const exp = Math.ceil(now + Math.max(...lifetimes) + margin);
	for (const set of sets)
		edits.push(
			set.edit(
				set.keys.map(({ jwk, id }) => {
					const { exp: _, ...kept } = jwk;
					if (id === target.id) return { ...kept, nbf: Math.ceil(now) };
					return id === old.id && !others.length ? { ...jwk, exp } : jwk;
				}),
			),
		);
	const recordOnly = entries.some(inVault);
	return {
		done: true,
		message: recordOnly
			? `recorded: every data plane signs with ${name} from the vault`
			: `${name} signs`,
		notes: [
			...(recordOnly
				? [
						`if a data plane still signs with ${nameOf(old.jwk)}, take this edit back and activate when none does`,
					]
				: [DEPLOY]),
			...(await copiesOf(configuration, old.id)).map(
				({ file, line, column }) =>
					`${file}:${line}:${column} is the public key of ${nameOf(old.jwk)} as PEM: there, put the new one (keys pem)`,
			),
			others.length
				? `${nameOf(old.jwk)} stays: ${others.map(({ scope }) => scope).join(", ")} signs with it`
				: `next step: retire, ${when(exp, now)} or later`,
		],
		...(others.length === 0 && { allowedAt: exp }),
		edits,
	};
}

/**
 * Retires replaced keys: they leave the JWK Sets when all tokens they signed have expired.
 *
 * @param force whether they may leave earlier, as a stolen key must
 * @throws {BadUse} when the configuration cannot be used
 */
export async function retire(
	configuration: Configuration,
	selection: Selection,
	force: boolean,
	now: number,
): Promise<Outcome> {
	const entries = select(configuration, selection);
	const sets = await setsOf(configuration, entries);
	const edits: Edit[] = [];
	const leaving = new Map<string, JWK>();
	let allowedAt: number | undefined;
	for (const set of sets) {
		const stay: PublishedJwk[] = [];
		for (const { jwk, id } of set.keys) {
			const { exp } = jwk;
			if (exp === undefined || (now < exp && !force)) {
				stay.push(jwk);
				if (exp !== undefined) allowedAt = Math.min(exp, allowedAt ?? exp);
				continue;
			}
			const [user] = await usersOf(configuration, selection, id);
			if (user) return no(`${nameOf(jwk)} still signs on ${user.scope}`);
			leaving.set(id, jwk);
		}
		if (stay.length < set.keys.length) edits.push(set.edit(stay));
	}
	if (!leaving.size)
		return allowedAt === undefined
			? no("no key waits to be retired: activate marks the one it replaces")
			: {
					...no(
						`tokens of the replaced key may still be in use: retire is allowed ${when(allowedAt, now)}`,
					),
					allowedAt,
				};
	edits.push(...(await dropPrivate(entries, leaving)));
	return {
		done: true,
		message: `${[...leaving.values()].map(nameOf).join(", ")} leaves the JWK Set`,
		notes: ["deploy it; then destroy the private key"],
		edits,
	};
}

/** An edit as a unified diff of the text it replaces, private members blotted out. */
export function diffOf({ file, node, text }: Edit): string {
	const { line, column } = positionOf(file, node);
	const place = `${file.path}:${line}:${column}`;
	const before = legible(String(node.value));
	return formatPatch(
		structuredPatch(place, place, before, legible(text)),
		FILE_HEADERS_ONLY,
	);
}

function legible(text: string): string {
	try {
		return `${JSON.stringify(
			JSON.parse(text),
			(name, value) => (PRIVATE_MEMBERS.includes(name) ? "(private)" : value),
			2,
		)}\n`;
	} catch {
		// A reference or a kid.
		return `${text}\n`;
	}
}

function no(message: string): Outcome {
	return { done: false, message, notes: [], edits: [] };
}

/** All entries of the plugin, selected or not. */
function entriesOf(
	{ plugins }: Configuration,
	{ plugin }: Selection,
): PluginEntry[] {
	return plugins.filter(({ name }) => name === plugin);
}

function select(
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

/** A JWK Set in a file. */
interface PublishedSet {
	/** What it is called in messages. */
	what: string;
	/** Its keys, each with its thumbprint. */
	keys: { jwk: PublishedJwk; id: string }[];
	edit(keys: PublishedJwk[]): Edit;
}

/** The JWK Sets that the entries' `jku` lead to, each once. */
async function setsOf(
	configuration: Configuration,
	entries: PluginEntry[],
): Promise<PublishedSet[]> {
	const served = new Map<Scalar, ServedJwks>();
	for (const entry of entries) {
		const { jku = configSchema.properties.jku.default } = configOf(entry);
		if (isReference(jku))
			throw new BadUse(
				`the jku of ${entry.scope} is a reference, so its JWK Set cannot be found: rotate by hand (README)`,
			);
		const set = servedJwks(configuration, jku);
		if (!set)
			throw new BadUse(
				`no route here serves the JWK Set at the jku of ${entry.scope}: give all files with --config`,
			);
		served.set(set.body, set);
	}
	return Promise.all([...served.values()].map(readSet));
}

async function readSet({
	route,
	plugin: { file },
	body,
}: ServedJwks): Promise<PublishedSet> {
	const what = `the JWK Set of route ${route.name}`;
	if (isReference(body.value))
		throw new BadUse(
			`${what} is a reference: without its keys here, rotate by hand (README)`,
		);
	const jwks = parseJwks(body.value, what);
	const json = JSON.parse(body.value);
	if (!Object.hasOwn(json, "keys"))
		throw new BadUse(`${what} is one JWK; see config check`);
	if (jwks.some(isPrivate))
		throw new BadUse(`${what} gives away a private key; see config check`);
	const keys = jwks.map(async (jwk: PublishedJwk) => {
		for (const time of [jwk.iat, jwk.nbf, jwk.exp])
			if (time !== undefined && typeof time !== "number")
				throw new BadUse(
					`${what}: iat, nbf and exp of ${nameOf(jwk)} must be numbers`,
				);
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

/** JSON in the style of the text it replaces: lines in a block, one line elsewhere. */
function likewise(node: Scalar, value: object): string {
	return node.type?.startsWith("BLOCK_")
		? `${JSON.stringify(value, null, 2)}\n`
		: JSON.stringify(value);
}

type PublishedKey = PublishedSet["keys"][number];

/** Whether a key has been published by `publish` and not been activated. */
function waits({ jwk: { iat, nbf, exp } }: PublishedKey): boolean {
	return iat !== undefined && nbf === undefined && exp === undefined;
}

/** The key to activate, as the JWK Sets have it; nothing when one of them does not. */
async function targetOf(
	sets: PublishedSet[],
	key: JWK | undefined,
): Promise<PublishedKey | undefined> {
	const wanted = key && (await thumbprint(key, "the new key"));
	const found = sets.map(({ keys, what }) => {
		const [one, another] = keys.filter((published) =>
			wanted ? published.id === wanted : waits(published),
		);
		if (another)
			throw new BadUse(
				`${what} has several keys to activate: name one with --key`,
			);
		return one;
	});
	if (new Set(found.map((one) => one?.id)).size > 1) return undefined;
	// Where it has been published last.
	return found.sort((a, b) => (b?.jwk.iat ?? 0) - (a?.jwk.iat ?? 0))[0];
}

/** The key that signs until the new one does. */
async function signerOf(
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
						published.jwk.exp === undefined &&
						!waits(published)
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

function signingOrBadUse(entry: PluginEntry) {
	try {
		return signingOf(configOf(entry));
	} catch (error) {
		if (!(error instanceof Misconfigured)) throw error;
		const { file, line, column } = fieldPosition(entry, "private_jwk");
		throw new BadUse(`${file}:${line}:${column}: ${error.message}`);
	}
}

/** The edits that make entries sign with a key; none where a vault decides it alone. */
async function signWith(
	configuration: Configuration,
	entries: PluginEntry[],
	target: JWK,
	key: JWK | undefined,
): Promise<Edit[]> {
	const edits = new Map<Scalar, Edit>();
	for (const entry of entries) {
		const config = configOf(entry);
		const changed = { ...config };
		const change = (field: string, text: string) => {
			const node = fieldNode(entry, field);
			if (!isScalar(node)) return;
			refuseShared(configuration, entries, entry, field, node);
			changed[field] = text;
			edits.set(node, { file: entry.file, node, text });
		};
		if (!isReference(config.private_jwk)) {
			if (!key || !isPrivate(key))
				throw new BadUse(
					`${entry.scope} holds its key itself: give the new private JWK with --key`,
				);
			checkPrivate(key, "the new key");
			const node = fieldNode(entry, "private_jwk");
			if (!isScalar(node)) continue;
			const json = JSON.parse(String(config.private_jwk));
			const others = (json.keys ?? []).filter(
				({ kid }: JWK) => kid !== key.kid,
			);
			const value = json.keys ? { ...json, keys: [key, ...others] } : key;
			change("private_jwk", likewise(node, value));
		}
		for (const field of ["active_kid", "key_id"])
			if (config[field] !== undefined) change(field, String(target.kid));
		if (isReference(changed.private_jwk)) continue;
		const { kid, alg } = newSigning(changed, entry);
		if (kid !== target.kid || alg !== (target.alg ?? alg))
			throw new BadUse(
				`${entry.scope} would sign as ${quoted(kid)} with ${alg}, but ${nameOf(target)} is published for ${quoted(target.alg)}`,
			);
	}
	return [...edits.values()];
}

function newSigning(config: Record<string, unknown>, { scope }: PluginEntry) {
	try {
		const signing = signingOf(config);
		if (signing.reference === undefined) return signing;
	} catch (error) {
		if (!(error instanceof Misconfigured)) throw error;
		throw new BadUse(`the new key does not fit ${scope}: ${error.message}`);
	}
	throw new BadUse(`${scope}: private_jwk is a reference`);
}

/** An edit of a text that an alias gives to other entries too would change those behind the user's back. */
function refuseShared(
	{ plugins }: Configuration,
	entries: PluginEntry[],
	entry: PluginEntry,
	field: string,
	node: Scalar,
): void {
	const other = plugins.find(
		(one) => !entries.includes(one) && fieldNode(one, field) === node,
	);
	if (other)
		throw new BadUse(
			`${entry.scope} shares its ${field} with ${other.scope} in the file: rotate both, without --route or --service`,
		);
}

/** The entries that sign with a key, selected or not, as far as the files show. */
async function usersOf(
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

/** `expires_in` of an entry's tokens, in seconds. */
function lifetime(entry: PluginEntry): number {
	const { expires_in = configSchema.properties.expires_in.default } =
		configOf(entry);
	if (typeof expires_in === "number") return expires_in;
	const { file, line, column } = fieldPosition(entry, "expires_in");
	throw new BadUse(`${file}:${line}:${column}: expires_in is not a number`);
}

/** Where the public key stands as PEM, e.g. in a jwt credential. */
async function copiesOf(
	{ files }: Configuration,
	wanted: string,
): Promise<Position[]> {
	const nodes: [file: Configuration["files"][number], node: Scalar][] = [];
	for (const file of files)
		visit(file.document, {
			Scalar(_, node) {
				if (String(node.value).startsWith("-----BEGIN PUBLIC KEY-----"))
					nodes.push([file, node]);
			},
		});
	const copies: Position[] = [];
	for (const [file, node] of nodes) {
		const jwk = jwkOfPem(String(node.value));
		if (jwk && (await thumbprint(jwk, "").catch(() => "")) === wanted)
			copies.push(positionOf(file, node));
	}
	return copies;
}

function jwkOfPem(pem: string): JWK | undefined {
	try {
		const jwk: JsonWebKey = createPublicKey(pem).export({ format: "jwk" });
		return jwk as JWK;
	} catch {
		return undefined;
	}
}

/** The edits that take private keys out of private JWK Sets; a single JWK signs and stays. */
async function dropPrivate(
	entries: PluginEntry[],
	leaving: Map<string, JWK>,
): Promise<Edit[]> {
	const edits = new Map<Scalar, Edit>();
	for (const entry of entries) {
		const node = fieldNode(entry, "private_jwk");
		if (!isScalar(node) || isReference(node.value)) continue;
		const json = JSON.parse(String(node.value));
		if (!Array.isArray(json.keys)) continue;
		const stay: JWK[] = [];
		for (const key of json.keys)
			if (key.kty === "oct" || !leaving.has(await thumbprint(key, entry.scope)))
				stay.push(key);
		if (stay.length < json.keys.length)
			edits.set(node, {
				file: entry.file,
				node,
				text: likewise(node, { ...json, keys: stay }),
			});
	}
	return [...edits.values()];
}
