/** `init --add-to`: puts the plugin into a declarative file of the user's; every other byte stays as it is. */
import { isDeepStrictEqual } from "node:util";
import type { JWK } from "jose";
import { isSeq, stringify, type YAMLMap } from "yaml";
import {
	type Configuration,
	findJwks,
	makeConfiguration,
	pluginsOn,
	type Route,
} from "../declarative/model";
import { readInput } from "../declarative/read-file";
import {
	contentOf,
	lookup,
	maps,
	parseSource,
	plain,
	positionAt,
	rootOf,
	type SourceFile,
} from "../declarative/text";
import { Name } from "../plugins/x-custom-jwt";
import { BadUse } from "./files";
import {
	type Auth,
	type EntryOptions,
	issuerOf,
	pluginEntry,
	publishedRoutes,
	securityPlugin,
} from "./starter";

/** What is put where. */
export interface AddOptions extends EntryOptions {
	/** Name of the Service; the only one of the file by default. */
	service?: string;
	/** How clients authenticate; what the file's security plugins say by default. */
	auth?: Auth[];
	/** Issuer of the identity provider, for `oidc`. */
	issuer?: string;
	discovery: boolean;
}

/** The way to authenticate that a security plugin of Kong's is. */
const METHODS: Record<string, Auth> = {
	"key-auth": "key",
	"key-auth-enc": "key",
	"basic-auth": "basic",
	"hmac-auth": "basic",
	"ldap-auth": "basic",
	"ldap-auth-advanced": "basic",
	jwt: "jwt",
	"mtls-auth": "mtls",
	"openid-connect": "oidc",
};

/** A file with what is to be added. */
export interface Addition {
	text: string;
	/** What is new in it, a line each. */
	added: string[];
	/** What keeps it from working. */
	warnings: string[];
}

/**
 * Finds out what to add to a file, before a key is made.
 *
 * @returns what makes the new text, from the public key
 * @throws {BadUse} when the file cannot be read, has no such Service, or the Service has the plugin already
 */
export function additionTo(
	path: string,
	options: AddOptions,
): (publicJwk: JWK) => Addition {
	const file = parseSource(readInput(path), path);
	const [fault] = file.faults;
	if (fault) {
		const { line, column } = positionAt(file, fault.offset);
		throw new BadUse(`${path}:${line}:${column}: ${fault.message}`);
	}
	const configuration = makeConfiguration([file]);
	const service = serviceIn(file, options.service);
	const name = String(plain(file, service, "name") ?? "without name");
	const routes = configuration.routes.filter(
		(route) => route.service?.map === service,
	);
	const there = routes
		.flatMap((route) => pluginsOn(configuration, route))
		.find((plugin) => plugin.name === Name);
	if (there) throw new BadUse(`${path}: ${Name} is on ${there.scope} already`);
	const found = methodsOn(configuration, routes);
	const methods = options.auth ?? found;
	const [method] = methods;
	if (method === undefined)
		throw new BadUse(
			`${path}: no security plugin is on Service ${name}: --auth names one to add`,
		);
	const jku = `${issuerOf(options)}/jwks`;
	const isServed = findJwks(configuration, jku).served !== undefined;
	const security =
		found.length === 0 && methods.length === 1
			? securityPlugin(method, options.issuer)
			: undefined;
	const plugins = [
		...(security ? [security] : []),
		pluginEntry(options, methods),
	];
	const global = configuration.plugins.find(
		(plugin) => plugin.kind === "global" && METHODS[plugin.name],
	);
	const warnings =
		global && !isServed
			? [
					`${path}: plugin ${global.name} runs on every route, so also on route x-custom-jwt-jwks, where backends get 401 instead of the JWK Set: put it on the Services that need it`,
				]
			: [];
	return (publicJwk) => {
		const published = isServed ? [] : publishedRoutes(options, publicJwk);
		const text = withItems(file, [
			{ map: service, key: "plugins", items: plugins },
			{ map: rootOf(file), key: "routes", items: published },
		]);
		return {
			text,
			warnings,
			added: [
				...plugins.map((plugin) => `plugin ${plugin.name} on Service ${name}`),
				...published.map((route) => `route ${route.name}`),
				...(isServed
					? [
							"nothing for the JWK Set, which a route of the file serves already: add the new public key to it",
						]
					: []),
			],
		};
	};
}

function serviceIn(file: SourceFile, wanted: string | undefined): YAMLMap {
	const services = maps(file, rootOf(file), "services");
	const names = services.map((map) => plain(file, map, "name"));
	const [first, second] = services;
	const found =
		wanted === undefined && !second
			? first
			: services.find((map) => plain(file, map, "name") === wanted);
	if (found) return found;
	throw new BadUse(
		`${file.path}: ${wanted === undefined ? "--service names one of its Services" : `no Service ${wanted}`}; there are ${names.join(", ") || "none"}`,
	);
}

/** How clients authenticate on routes, by the security plugins there. */
function methodsOn(configuration: Configuration, routes: Route[]): Auth[] {
	const names = routes
		.flatMap((route) => pluginsOn(configuration, route))
		.map(({ name }) => METHODS[name]);
	return [...new Set(names.filter((method) => method !== undefined))];
}

/** Items for a list that is a member of a map. */
interface Insertion {
	map: YAMLMap;
	key: string;
	items: object[];
}

/**
 * Adds items to lists of a file, each behind the last item there.
 *
 * @throws {BadUse} where the file is not written in a way that takes them, such as on one line
 */
function withItems(file: SourceFile, insertions: Insertion[]): string {
	const wanted = structuredClone(contentOf(file, rootOf(file))) as object;
	const edits = insertions
		.filter(({ items }) => items.length > 0)
		.map((insertion) => textFor(file, insertion))
		// From the end on; where two are at one place, what is nested deeper comes first in the text.
		.reverse()
		.sort((a, b) => b.at - a.at);
	let { text } = file;
	for (const { at, added } of edits)
		text = text.slice(0, at) + added + text.slice(at);
	const read = parseSource(text, file.path);
	if (read.faults.length === 0 && isExtended(wanted, read, insertions))
		return text;
	throw new BadUse(
		`${file.path}: the plugin cannot be added to lists that are written in this way; write services, routes and plugins in lines of their own, or use --out`,
	);
}

/** Whether a file says what it said before, and has the new items. */
function isExtended(
	before: object,
	after: SourceFile,
	insertions: Insertion[],
): boolean {
	const added = insertions.flatMap(({ items }) => items);
	const without = JSON.parse(
		JSON.stringify(contentOf(after, rootOf(after))),
		(_, value) => {
			if (!Array.isArray(value)) return value;
			return value.filter(
				(one) => !added.some((item) => isDeepStrictEqual(one, item)),
			);
		},
	);
	return isDeepStrictEqual(withoutEmpty(without), withoutEmpty(before));
}

/** A value without the empty lists that taking the new items out leaves. */
function withoutEmpty(value: unknown): unknown {
	return JSON.parse(JSON.stringify(value), (_, member) =>
		Array.isArray(member) && member.length === 0 ? undefined : member,
	);
}

function textFor(
	file: SourceFile,
	{ map, key, items }: Insertion,
): { at: number; added: string } {
	const list = lookup(file, map, key);
	const isThere = isSeq(list) && list.items.length > 0;
	const node = isThere ? list : map;
	const token = node.srcToken;
	const indent = token && "indent" in token ? token.indent : 0;
	const yaml = stringify(isThere ? items : { [key]: items }, { lineWidth: 0 });
	const end = node.range?.[1] ?? 0;
	const at = lineEndBefore(file.text, end);
	const lines = yaml
		.split("\n")
		.map((line) => (line ? " ".repeat(indent) + line : line))
		.join("\n");
	const needsBreak = at > 0 && file.text.charAt(at - 1) !== "\n";
	return { at, added: (needsBreak ? "\n" : "") + lines };
}

/** The beginning of the line behind what ends here, without the empty lines that follow it. */
function lineEndBefore(text: string, end: number): number {
	const trimmed = text.slice(0, end).trimEnd().length;
	const next = text.indexOf("\n", trimmed);
	return next === -1 ? text.length : next + 1;
}
