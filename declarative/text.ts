import {
	Composer,
	CST,
	type Document,
	isAlias,
	isMap,
	isScalar,
	isSeq,
	LineCounter,
	type Node,
	type Pair,
	Parser,
	type Scalar,
	visit,
	type YAMLMap,
} from "yaml";
import { bestMatch, byPrecedence } from "./paths";
import { readInput, Unreadable } from "./read-file";

/** A declarative configuration file, for DB-less Kong or decK, that can be edited in place. */
export interface SourceFile {
	path: string;
	text: string;
	document: Document;
	/** The text in tokens, down to white space and comments. */
	tokens: CST.Token[];
	lines: LineCounter;
	/** What makes it unreadable; when there is any, nothing else is known of the file. */
	faults: { message: string; offset: number }[];
}

/** A place in a file, as editors and compilers write it: both from 1. */
export interface Position {
	file: string;
	line: number;
	column: number;
}

/** A map of a file with where it stands. */
interface Entity {
	file: SourceFile;
	map: YAMLMap;
	/** Kong's name of the entity; its id or nothing when it has none. */
	name: string;
}

/** A route, and the service it leads to. */
export interface Route extends Entity {
	paths: string[];
	hosts: string[];
	service: Entity | undefined;
}

/** A plugin entry: a plugin configured on a route, a service, a consumer or everywhere. */
export interface PluginEntry extends Entity {
	/** What it is configured on, for messages, e.g. `route apiKey`. */
	scope: string;
	kind: "route" | "service" | "consumer" | "global";
	/** The route or service it is configured on. */
	on: Entity | undefined;
	/** Where its configuration stands: its own `config`, then decK's shared `_plugin_configs`. */
	configs: YAMLMap[];
}

/** What declarative configuration files say together. */
export interface Configuration {
	files: SourceFile[];
	routes: Route[];
	/** All enabled plugin entries. */
	plugins: PluginEntry[];
}

/**
 * Reads declarative configuration files, which make up one configuration as `deck gateway sync` takes them.
 *
 * @param paths YAML or JSON files
 * @throws {Unreadable} naming a file that cannot be read
 */
export function readConfiguration(paths: string[]): Configuration {
	return makeConfiguration(
		paths.map((path) => parseSource(readInput(path), path)),
	);
}

/**
 * Parses the text of one file.
 *
 * @param path its name, for messages
 */
export function parseSource(text: string, path: string): SourceFile {
	const lines = new LineCounter();
	const readable = hideQuotes(text);
	const tokens = [...new Parser(lines.addNewLine).parse(readable)];
	const [document, second] = new Composer({
		keepSourceTokens: true,
		merge: true,
		// A pretty error quotes the line, and there may be a key on it.
		prettyErrors: false,
	}).compose(tokens, true, readable.length);
	if (!document) throw new Unreadable(`${path}: empty`);
	const faults = document.errors.map(({ code, pos }) => ({
		message: `not YAML that Kong could read: ${code.toLowerCase().replaceAll("_", " ")}`,
		offset: pos[0],
	}));
	if (second)
		faults.push({
			message: "a second document begins; one is expected",
			offset: second.range[0],
		});
	if (!isMap(document.contents))
		faults.push({ message: "a map is expected", offset: 0 });
	visit(document, {
		Scalar(_, node) {
			if (typeof node.value === "string") node.value = showQuotes(node.value);
		},
		Alias(_, alias) {
			if (!alias.resolve(document))
				faults.push({
					message: `no anchor &${alias.source} before this alias`,
					offset: alias.range?.[0] ?? 0,
				});
		},
	});
	if (!faults.length && !resolves(document))
		faults.push({
			message: "an anchor contains an alias to itself, or aliases multiply",
			offset: 0,
		});
	return { path, text, document, tokens, lines, faults };
}

/** A character that no file has, as long as a quote, so that places stay what they are. */
const HIDDEN_QUOTE = "\uE000";

/**
 * decK fills in its variables before it parses YAML, so that `"${{ env "DECK_X" }}"`, quotes inside of
 * quotes, is what its maintainers recommend; as YAML it is none.
 */
function hideQuotes(text: string): string {
	return text.replaceAll(
		/\$\{\{[^{}"\\\n]*"[^"\\\n]*"[^{}"\\\n]*\}\}/g,
		(variable) => variable.replaceAll('"', HIDDEN_QUOTE),
	);
}

function showQuotes(text: string): string {
	return text.replaceAll(HIDDEN_QUOTE, '"');
}

/** More than files have; what multiplies aliases of aliases to fill the memory has still more. */
const ALIASES = { maxAliasCount: 10_000 };

function resolves(document: Document): boolean {
	try {
		document.toJS(ALIASES);
		return true;
	} catch {
		return false;
	}
}

/** Where a node stands. */
export function positionOf(file: SourceFile, node: Node | null): Position {
	return positionAt(file, node?.range?.[0] ?? 0);
}

/** Where a character of a file stands. */
export function positionAt(file: SourceFile, offset: number): Position {
	const { line, col } = file.lines.linePos(offset);
	return { file: file.path, line: line || 1, column: col || 1 };
}

/** Finds the entities in files without faults. */
export function makeConfiguration(files: SourceFile[]): Configuration {
	const sound = files.filter(({ faults }) => faults.length === 0);
	const all = (key: string): Entity[] =>
		sound.flatMap((file) =>
			maps(file, rootOf(file), key).map((map) => entity(file, map)),
		);
	const services = all("services");
	const routes = [
		...services.flatMap((service) =>
			maps(service.file, service.map, "routes").map((map) =>
				routeOf(service.file, map, service),
			),
		),
		...all("routes").map(({ file, map }) => {
			const wanted = reference(file, map, "service");
			const service = services.find((one) => isNamed(one, wanted));
			return routeOf(file, map, service);
		}),
	];
	const plugins = [
		...services.flatMap((service) => pluginsOf(service, "service")),
		...routes.flatMap((route) => pluginsOf(route, "route")),
		...[...all("consumers"), ...all("consumer_groups")].flatMap((consumer) =>
			pluginsOf(consumer, "consumer"),
		),
		...all("plugins").map(({ file, map }) => {
			const wanted = (key: string) => reference(file, map, key);
			const consumer = wanted("consumer") ?? wanted("consumer_group");
			const route = wanted("route");
			const service = wanted("service");
			if (consumer) return pluginEntry(file, map, "consumer", undefined);
			if (route) {
				const on = routes.find((one) => isNamed(one, route));
				return pluginEntry(file, map, "route", on);
			}
			if (!service) return pluginEntry(file, map, "global", undefined);
			const on = services.find((one) => isNamed(one, service));
			return pluginEntry(file, map, "service", on);
		}),
	];
	const enabled = ({ file, map }: PluginEntry) =>
		plain(file, map, "enabled") !== false;
	return { files, routes, plugins: plugins.filter(enabled) };
}

function rootOf({ document }: SourceFile): YAMLMap {
	return document.contents as YAMLMap;
}

function pluginsOf(on: Entity, kind: PluginEntry["kind"]): PluginEntry[] {
	return maps(on.file, on.map, "plugins").map((map) =>
		pluginEntry(on.file, map, kind, on),
	);
}

function entity(file: SourceFile, map: YAMLMap): Entity {
	const names = ["name", "username", "id"].map((key) => plain(file, map, key));
	return { file, map, name: String(names.find(Boolean) ?? "without name") };
}

function routeOf(
	file: SourceFile,
	map: YAMLMap,
	service: Entity | undefined,
): Route {
	return {
		...entity(file, map),
		paths: texts(plain(file, map, "paths")),
		hosts: texts(plain(file, map, "hosts")),
		service,
	};
}

function pluginEntry(
	file: SourceFile,
	map: YAMLMap,
	kind: PluginEntry["kind"],
	on: Entity | undefined,
): PluginEntry {
	const shared = plain(file, map, "_config");
	const all = lookup(file, rootOf(file), "_plugin_configs");
	const configs = [
		lookup(file, map, "config"),
		isMap(all) && shared !== undefined
			? lookup(file, all, String(shared))
			: undefined,
	];
	return {
		...entity(file, map),
		kind,
		on,
		scope:
			kind === "global"
				? "every route"
				: `${kind} ${on?.name ?? "of another file"}`,
		configs: configs.filter((config): config is YAMLMap => isMap(config)),
	};
}

/** The plugin entries that run on a route: of each plugin the most specific one, as in Kong. */
export function pluginsOn(
	{ plugins }: Configuration,
	route: Route,
): PluginEntry[] {
	const byName = new Map<string, PluginEntry>();
	for (const kind of ["global", "service", "route"])
		for (const plugin of plugins) {
			const runs =
				plugin.kind === "global" ||
				plugin.on?.map === route.map ||
				(plugin.kind === "service" && plugin.on?.map === route.service?.map);
			if (plugin.kind === kind && runs) byName.set(plugin.name, plugin);
		}
	return [...byName.values()];
}

/** A field of a plugin entry's configuration as its node, aliases and merge keys followed. */
export function fieldNode(entry: PluginEntry, field: string): Node | undefined {
	for (const config of entry.configs) {
		const node = lookup(entry.file, config, field);
		if (node) return node;
	}
	return undefined;
}

/** A plugin entry's configuration as Kong gets it: without fields that are null. */
export function configOf(entry: PluginEntry): Record<string, unknown> {
	const merged: Record<string, unknown> = {};
	for (const config of [...entry.configs].reverse())
		Object.assign(merged, config.toJS(entry.file.document, ALIASES));
	return Object.fromEntries(
		Object.entries(merged).filter(([, value]) => value !== null),
	);
}

/** Where a field stands; the plugin entry itself when it is not given. */
export function fieldPosition(entry: PluginEntry, field: string): Position {
	return positionOf(entry.file, fieldNode(entry, field) ?? entry.map);
}

/** A consumer with the algorithms of its jwt credentials. */
export interface JwtConsumer {
	name: string;
	algorithms: string[];
}

/** The consumers that are in one of acl's groups, as far as the files say. */
export function membersOf(
	{ files }: Configuration,
	groups: unknown[],
): JwtConsumer[] {
	return files
		.filter(({ faults }) => faults.length === 0)
		.flatMap((file) =>
			maps(file, rootOf(file), "consumers")
				.filter((consumer) =>
					maps(file, consumer, "acls").some((acl) =>
						groups.includes(plain(file, acl, "group")),
					),
				)
				.map((consumer) => ({
					name: entity(file, consumer).name,
					algorithms: maps(file, consumer, "jwt_secrets").map((credential) =>
						// Kong's default.
						String(plain(file, credential, "algorithm") ?? "HS256"),
					),
				})),
		);
}

/** The JWK Set that a route serves. */
export interface ServedJwks {
	route: Route;
	/** The entry of request-termination that answers with it. */
	plugin: PluginEntry;
	body: Scalar<string>;
}

/** What a route answers by itself, and which entry of request-termination does it. */
interface Answer {
	route: Route;
	plugin: PluginEntry;
	body: Node | undefined;
}

/**
 * The JWK Set that Kong serves at a URL.
 *
 * @param jku the URL; its path decides, since the host is whatever the gateway is called
 * @returns nothing when no route of the configuration has this path or it does not answer by itself
 */
export function servedJwks(
	configuration: Configuration,
	jku: unknown,
): ServedJwks | undefined {
	const answer = answerAt(configuration, jku);
	if (!answer) return undefined;
	const { body, ...where } = answer;
	return isScalar<string>(body) && typeof body.value === "string"
		? { ...where, body }
		: undefined;
}

/** Where the JWK Set at a URL is given as a YAML map, which Kong refuses: its `body` is a text. */
export function jwksMap(
	configuration: Configuration,
	jku: unknown,
): (Omit<Answer, "body"> & { body: YAMLMap }) | undefined {
	const answer = answerAt(configuration, jku);
	return answer && isMap(answer.body)
		? { ...answer, body: answer.body }
		: undefined;
}

function answerAt(
	configuration: Configuration,
	jku: unknown,
): Answer | undefined {
	if (typeof jku !== "string" || !URL.canParse(jku)) return undefined;
	const { pathname, hostname } = new URL(jku);
	const [best] = configuration.routes
		.filter(({ hosts }) => hosts.length === 0 || hosts.includes(hostname))
		.flatMap((route) => {
			const match = bestMatch(route.paths, pathname);
			return match ? [{ route, match }] : [];
		})
		.sort((a, b) => byPrecedence(a.match, b.match));
	const route = best?.route;
	if (!route) return undefined;
	const plugin = pluginsOn(configuration, route).find(
		({ name }) => name === "request-termination",
	);
	return plugin && { route, plugin, body: fieldNode(plugin, "body") };
}

/** A member of a map, with aliases and merge keys followed. */
function lookup(file: SourceFile, map: YAMLMap, key: string): Node | undefined {
	const own = map.items.find((pair) => keyOf(pair) === key);
	if (own) return follow(file, own.value);
	for (const pair of map.items) {
		if (keyOf(pair) !== "<<") continue;
		const merged = follow(file, pair.value);
		for (const item of isSeq(merged) ? merged.items : [merged]) {
			const source = follow(file, item);
			const found = isMap(source) ? lookup(file, source, key) : undefined;
			if (found) return found;
		}
	}
	return undefined;
}

function keyOf({ key }: Pair<unknown, unknown>): unknown {
	if (!isScalar(key)) return undefined;
	// The library's merge key is a symbol.
	return typeof key.value === "symbol" ? key.value.description : key.value;
}

function follow(file: SourceFile, node: unknown): Node | undefined {
	if (isAlias(node)) return node.resolve(file.document);
	return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined;
}

function maps(file: SourceFile, map: YAMLMap, key: string): YAMLMap[] {
	const list = lookup(file, map, key);
	if (!isSeq(list)) return [];
	return list.items
		.map((item) => follow(file, item))
		.filter((item): item is YAMLMap => isMap(item));
}

function plain(file: SourceFile, map: YAMLMap, key: string): unknown {
	return lookup(file, map, key)?.toJS(file.document, ALIASES);
}

function texts(value: unknown): string[] {
	return Array.isArray(value) ? value.map(String) : [];
}

/** What an entity refers to: decK and Kong take a name, or a map of a name or an id. */
function reference(
	file: SourceFile,
	map: YAMLMap,
	key: string,
): string | undefined {
	const value = plain(file, map, key);
	if (typeof value !== "object" || value === null)
		return value === undefined || value === null ? undefined : String(value);
	const { name, id } = value as { name?: unknown; id?: unknown };
	return String(name ?? id);
}

function isNamed({ file, map, name }: Entity, wanted: string | undefined) {
	return (
		wanted !== undefined && [name, plain(file, map, "id")].includes(wanted)
	);
}

/** A text of a file and what is to take its place. */
export interface Edit {
	file: SourceFile;
	node: Scalar;
	text: string;
}

/**
 * Replaces texts in files; all other bytes stay as they are.
 *
 * @returns the files with their new text, only those that changed
 */
export function applyEdits(edits: Edit[]): { path: string; text: string }[] {
	for (const { node, text } of edits) {
		const token = node.srcToken;
		// Not reached: texts of a file come with their tokens.
		if (!token) throw new Error("no token to edit");
		CST.setScalarValue(token, text, {
			afterKey: true,
			// Unquoted, a text might be taken for a number.
			...(node.type === "PLAIN" && { type: "QUOTE_DOUBLE" }),
		});
	}
	const files = new Set(edits.map(({ file }) => file));
	return [...files].map(({ path, text, tokens }) => {
		const edited = showQuotes(tokens.map(CST.stringify).join(""));
		return { path, text: endLinesAs(text, edited) };
	});
}

function endLinesAs(model: string, text: string): string {
	return model.includes("\r\n") ? text.replaceAll(/\r?\n/g, "\r\n") : text;
}
