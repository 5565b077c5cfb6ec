import { createPublicKey, type JsonWebKey } from "node:crypto";
import { FILE_HEADERS_ONLY, formatPatch, structuredPatch } from "diff";
import type { JWK } from "jose";
import { isScalar, type Scalar, visit } from "yaml";
import { isRefusal } from "../core/refusals";
import {
	type Configuration,
	configOf,
	fieldNode,
	type PluginEntry,
} from "../declarative/model";
import { isReference } from "../declarative/references";
import { type Edit, type Position, positionOf } from "../declarative/text";
import { isPrivate, PRIVATE_MEMBERS } from "../jwk/members";
import { quoted } from "../jwk/printable";
import { nameOf } from "../jwk/public-members";
import { BadUse } from "./files";
import { checkPrivate, thumbprint } from "./named-jwk";
import { signingOf } from "./signing";

/** JSON in the style of the text it replaces: lines in a block, one line elsewhere. */
export function likewise(node: Scalar, value: object): string {
	return node.type?.startsWith("BLOCK_")
		? `${JSON.stringify(value, null, 2)}\n`
		: JSON.stringify(value);
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

/** The edits that make entries sign with a key; none where a vault decides it alone. */
export async function signWith(
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
		if (!isRefusal(error)) throw error;
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

/** Where the public key stands as PEM, e.g. in a jwt credential. */
export async function copiesOf(
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
export async function dropPrivate(
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
