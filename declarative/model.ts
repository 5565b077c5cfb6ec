import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMap, isScalar, type Node, type Scalar, type YAMLMap } from "yaml";
import { readInput, Unreadable } from "./read-file";
import { isReference } from "./references";
import {
	idOfName,
	type Matchable,
	makeRouter,
	matchableOf,
	type Ranked,
	type RoutedRequest,
	requestFor,
} from "./router";
import {
	contentOf,
	lookup,
	maps,
	type Position,
	parseSource,
	plain,
	positionOf,
	rootOf,
	type SourceFile,
} from "./text";

/** A map of a file with where it stands. */
export interface Entity {
	file: SourceFile;
	map: YAMLMap;
	/** Kong's name of the entity; its id or nothing when it has none. */
	name: string;
}

/** A route, and the service it leads to. */
export interface Route extends Entity {
	paths: string[];
	/** What Kong's router looks at. */
	matchable: Matchable;
	service: Entity | undefined;
}

/** A plugin entry: a plugin configured on a route, a service, a consumer or everywhere. */
export interface PluginEntry extends Entity {
	/** What it is configured on, for messages, e.g. `route apiKey`. */
	scope: string;
	kind:
		| "route"
		| "service"
		| "consumer"
		| "consumer group"
		| "global"
		| "selectors";
	/** The route or service it is configured on. */
	on: Entity | undefined;
	/** Where its configuration stands: its own `config`, then decK's shared `_plugin_configs`. */
	configs: YAMLMap[];
}

/** What declarative configuration files say together. */
export interface Configuration {
	files: SourceFile[];
	services: Entity[];
	routes: Route[];
	consumers: Entity[];
	/** Groups and credentials in lists of their own, each with its `consumer`. */
	credentials: Record<"acls" | "jwt_secrets", Entity[]>;
	vaults: Entity[];
	/** All enabled plugin entries. */
	plugins: PluginEntry[];
	/** Those that are switched off. */
	disabledPlugins: PluginEntry[];
	/** Ranks the routes that match a request as Kong does. */
	rank(request: RoutedRequest): Ranked<Route>[];
}

/**
 * Reads declarative configuration files, which make up one configuration as `deck gateway sync` takes them.
 *
 * @param paths YAML or JSON files, or folders with such files
 * @param prepare is given the text of each file, and returns what is read in its place
 * @throws {Unreadable} naming a file that cannot be read
 */
export function readConfiguration(
	paths: string[],
	prepare = (text: string) => text,
): Configuration {
	return makeConfiguration(
		paths
			.flatMap(filesIn)
			.map((path) => parseSource(prepare(readInput(path)), path)),
	);
}

/** The files that a path stands for: those of a folder and its folders, as decK reads it, or the file itself. */
function filesIn(path: string): string[] {
	if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
	const files = filesBelow(path);
	if (!files.length)
		throw new Unreadable(`${path} has no file *.yml, *.yaml or *.json`);
	return files;
}

/** Files of a folder, without packages and what is hidden: there may be thousands of other files. */
function filesBelow(folder: string): string[] {
	return readdirSync(folder, { withFileTypes: true })
		.filter(({ name }) => !name.startsWith(".") && name !== "node_modules")
		.flatMap((entry) => {
			const path = join(folder, entry.name);
			if (entry.isDirectory()) return filesBelow(path);
			return entry.isFile() && /\.(ya?ml|json)$/.test(path) ? [path] : [];
		})
		.sort();
}

/** Finds the entities in files without faults. */
export function makeConfiguration(files: SourceFile[]): Configuration {
	const sound = files.filter(({ faults }) => faults.length === 0);
	const all = (key: string): Entity[] =>
		sound.flatMap((file) =>
			maps(file, rootOf(file), key).map((map) => entity(file, map)),
		);
	const services = all("services");
	const consumers = all("consumers");
	const serviceNamed = finder(services);
	const routes = [
		...services.flatMap((service) =>
			maps(service.file, service.map, "routes").map((map) =>
				routeOf(service.file, map, service),
			),
		),
		...all("routes").map(({ file, map }) => {
			const wanted = reference(file, map, "service");
			return routeOf(file, map, serviceNamed(wanted));
		}),
	];
	const routeNamed = finder(routes);
	const plugins = [
		...services.flatMap((service) => pluginsOf(service, "service")),
		...routes.flatMap((route) => pluginsOf(route, "route")),
		...consumers.flatMap((consumer) => pluginsOf(consumer, "consumer")),
		...all("consumer_groups").flatMap((group) =>
			pluginsOf(group, "consumer group"),
		),
		...all("plugins").map(({ file, map }) => {
			const wanted = (key: string) => reference(file, map, key);
			const consumer = wanted("consumer");
			const group = wanted("consumer_group");
			const route = wanted("route");
			const service = wanted("service");
			if (consumer)
				return pluginEntry(file, map, "consumer", undefined, consumer);
			if (group)
				return pluginEntry(file, map, "consumer group", undefined, group);
			if (route) return pluginEntry(file, map, "route", routeNamed(route));
			if (!service) return pluginEntry(file, map, "global", undefined);
			return pluginEntry(file, map, "service", serviceNamed(service));
		}),
		...all("add-plugins").flatMap((patch) => pluginsOf(patch, "selectors")),
	];
	const isEnabled = ({ file, map }: Entity) =>
		plain(file, map, "enabled") !== false;
	const routed = routes.filter(({ service }) => !service || isEnabled(service));
	const rank = makeRouter(routed, ({ matchable }) => matchable);
	const credentials = {
		acls: all("acls"),
		jwt_secrets: all("jwt_secrets"),
	};
	return {
		files,
		services,
		routes,
		consumers,
		credentials,
		vaults: all("vaults"),
		plugins: plugins.filter(isEnabled),
		disabledPlugins: plugins.filter((plugin) => !isEnabled(plugin)),
		rank,
	};
}

/** The entities in a list that is a member of another. */
export function children({ file, map }: Entity, list: string): Entity[] {
	return maps(file, map, list).map((child) => entity(file, child));
}

function pluginsOf(on: Entity, kind: PluginEntry["kind"]): PluginEntry[] {
	return maps(on.file, on.map, "plugins").map((map) =>
		pluginEntry(on.file, map, kind, on),
	);
}

/** A map of a file as an entity, named as Kong names it. */
function entity(file: SourceFile, map: YAMLMap): Entity {
	const names = ["name", "username", "id"].map((key) => plain(file, map, key));
	return { file, map, name: String(names.find(Boolean) ?? "without name") };
}

function routeOf(
	file: SourceFile,
	map: YAMLMap,
	service: Entity | undefined,
): Route {
	const own = entity(file, map);
	const members: Record<string, unknown> = {};
	const byDefault = routeDefaults(file);
	for (const key of ROUTING)
		members[key] =
			plain(file, map, key) ?? (byDefault && plain(file, byDefault, key));
	if (Array.isArray(members.paths))
		members.paths = members.paths.map((path) => pathOf(file, String(path)));
	const id = plain(file, map, "id");
	const matchable = matchableOf(
		members,
		typeof id === "string" ? id : idOfName(own.name),
	);
	return { ...own, paths: [...(matchable.paths ?? [])], matchable, service };
}

/** What decK fills into each route of a file, `_info.defaults.route`. */
function routeDefaults(file: SourceFile): YAMLMap | undefined {
	let map: Node | undefined = rootOf(file);
	for (const key of ["_info", "defaults", "route"])
		map = isMap(map) ? lookup(file, map, key) : undefined;
	return isMap(map) ? map : undefined;
}

/** A route's path; before format 3.0 a regular expression has no `~`, and Kong adds it. */
function pathOf(file: SourceFile, path: string): string {
	const version = Number(plain(file, rootOf(file), "_format_version"));
	const isPlain = /^[\w.\-~/%]*$/.test(path);
	return version < 3 && !isPlain ? `~${path}` : path;
}

/** The members of a route by which Kong finds it. */
const ROUTING = [
	"destinations",
	"expression",
	"headers",
	"hosts",
	"methods",
	"paths",
	"protocols",
	"regex_priority",
	"snis",
	"sources",
];

function pluginEntry(
	file: SourceFile,
	map: YAMLMap,
	kind: PluginEntry["kind"],
	on: Entity | undefined,
	wanted?: string,
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
				: kind === "selectors"
					? "what the selectors of add-plugins choose"
					: `${kind} ${on?.name ?? wanted ?? "of another file"}`,
		configs: configs.filter((config): config is YAMLMap => isMap(config)),
	};
}

/** Which plugin entries run where. */
interface Running {
	plugins: Map<Route, PluginEntry[]>;
	routes: Map<PluginEntry, Route[]>;
}

const running = new WeakMap<Configuration, Running>();

/** The plugin entries that run on a route: of each plugin the most specific one, as in Kong. */
export function pluginsOn(
	configuration: Configuration,
	route: Route,
): PluginEntry[] {
	return runningIn(configuration).plugins.get(route) ?? [];
}

/** The routes that a plugin entry runs on. */
export function routesOf(
	configuration: Configuration,
	entry: PluginEntry,
): Route[] {
	return runningIn(configuration).routes.get(entry) ?? [];
}

function runningIn(configuration: Configuration): Running {
	const known = running.get(configuration);
	if (known) return known;
	const { plugins, routes } = configuration;
	const global = plugins.filter(({ kind }) => kind === "global");
	const on = groupBy(
		plugins.filter(({ kind }) => kind === "route" || kind === "service"),
		(plugin) => plugin.on?.map,
	);
	const found: Running = { plugins: new Map(), routes: new Map() };
	for (const route of routes) {
		const { service, map } = route;
		const onService = (service && on.get(service.map)) ?? [];
		const byName = new Map<string, PluginEntry>();
		for (const plugin of [...global, ...onService, ...(on.get(map) ?? [])])
			byName.set(plugin.name, plugin);
		found.plugins.set(route, [...byName.values()]);
	}
	const pairs = routes.flatMap((route) =>
		(found.plugins.get(route) ?? []).map((plugin) => ({ route, plugin })),
	);
	for (const [plugin, its] of groupBy(pairs, ({ plugin }) => plugin))
		found.routes.set(
			plugin,
			its.map(({ route }) => route),
		);
	running.set(configuration, found);
	return found;
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
		Object.assign(merged, contentOf(entry.file, config));
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
	{ consumers, credentials }: Configuration,
	groups: unknown[],
): JwtConsumer[] {
	const of = (consumer: Entity, list: keyof Configuration["credentials"]) => [
		...children(consumer, list),
		...credentials[list].filter(({ file, map }) =>
			isNamed(consumer, reference(file, map, "consumer")),
		),
	];
	return consumers
		.filter((consumer) =>
			of(consumer, "acls").some(({ file, map }) =>
				groups.includes(plain(file, map, "group")),
			),
		)
		.map((consumer) => ({
			name: consumer.name,
			algorithms: of(consumer, "jwt_secrets").map(({ file, map }) =>
				// Kong's default.
				String(plain(file, map, "algorithm") ?? "HS256"),
			),
		}));
}

/** The vaults that read the environment: by the prefix of references, what the names of their variables begin with. */
export function vaultPrefixes({ vaults }: Configuration): Map<string, string> {
	const ours = vaults.filter(
		({ file, map }) => plain(file, map, "name") === "env",
	);
	return new Map(
		ours.map(({ file, map }) => {
			const { prefix = "" } = Object(plain(file, map, "config"));
			return [String(plain(file, map, "prefix")), String(prefix)];
		}),
	);
}

/** What a route answers by itself, and which entry of request-termination does it. */
export interface Answer {
	route: Route;
	/** The entry of request-termination that answers. */
	plugin: PluginEntry;
	body: Node | undefined;
}

/** The JWK Set that a route serves. */
export interface ServedJwks extends Answer {
	body: Scalar<string>;
}

/** What Kong answers at the URL of a JWK Set. */
export interface JwksLookup {
	/** The JWK Set, when Kong's route for the URL serves one. */
	served?: ServedJwks;
	/** A YAML map in place of a JWK Set, which Kong rejects: its `body` is a string. */
	map?: Answer & { body: YAMLMap };
	/** The route that Kong chooses. */
	winner?: Route;
	/** A route that would serve the JWK Set, if the winner did not match too. */
	loser?: Route;
	/** Whether the winner and another route have the same priority, so that ids decide. */
	tied?: boolean;
}

const lookups = new WeakMap<Configuration, Map<string, JwksLookup>>();

/**
 * What Kong answers at the URL of a JWK Set.
 *
 * @param jku the URL
 */
export function findJwks(
	configuration: Configuration,
	jku: unknown,
): JwksLookup {
	if (typeof jku !== "string" || !URL.canParse(jku)) return {};
	const known = lookups.get(configuration) ?? new Map<string, JwksLookup>();
	lookups.set(configuration, known);
	const found = known.get(jku) ?? lookUp(configuration, jku);
	known.set(jku, found);
	return found;
}

function lookUp(configuration: Configuration, jku: string): JwksLookup {
	const request = requestFor(jku);
	const ranked = configuration.rank(request);
	const [first] = ranked;
	if (!first) return {};
	const found = ranked
		.map(({ route }) => jwksAnswer(configuration, route, request.path))
		.find((answer) => answer !== undefined);
	const winner = first.route;
	if (!found) return { winner };
	if (found.route !== winner) return { winner, loser: found.route };
	const { tied } = first;
	if (isMap(found.body))
		return { winner, tied, map: { ...found, body: found.body } };
	return isScalar<string>(found.body) && typeof found.body.value === "string"
		? { winner, tied, served: { ...found, body: found.body } }
		: { winner, tied };
}

/** What a route answers, unless that is clearly something other than a JWK Set, as of a mock or a health check. */
function jwksAnswer(
	configuration: Configuration,
	route: Route,
	path: string,
): Answer | undefined {
	const plugin = pluginsOn(configuration, route).find(
		({ name }) => name === "request-termination",
	);
	if (!plugin) return undefined;
	const body = fieldNode(plugin, "body");
	const answer = { route, plugin, body };
	if (isMap(body))
		return lookup(plugin.file, body, "keys") || lookup(plugin.file, body, "kty")
			? answer
			: undefined;
	if (!isScalar(body) || typeof body.value !== "string") return undefined;
	const isMeant =
		isReference(body.value) ||
		looksLikeJwks(body.value) ||
		route.paths.some((own) => own === path);
	return isMeant ? answer : undefined;
}

/** Whether a text is a JWK or a JWK Set, or was meant to be one: a mock may have a member `keys` too. */
function looksLikeJwks(text: string): boolean {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return /"kty"/.test(text);
	}
	const { keys, kty } = Object(json);
	return (
		kty !== undefined ||
		(Array.isArray(keys) && keys.every((key) => Object(key).kty !== undefined))
	);
}

/** The routes with an expression of the flavor `expressions`, which is not read here. */
export function expressionRoutes({ routes }: Configuration): Route[] {
	return routes.filter(({ matchable }) => matchable.expression !== undefined);
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
		wanted !== undefined &&
		[name, ...["id", "username"].map((key) => plain(file, map, key))].includes(
			wanted,
		)
	);
}

function groupBy<T, K>(all: T[], keyOf: (one: T) => K): Map<K, T[]> {
	const groups = new Map<K, T[]>();
	for (const one of all) {
		const group = groups.get(keyOf(one));
		if (group) group.push(one);
		else groups.set(keyOf(one), [one]);
	}
	return groups;
}

/** Finds an entity by its name or id; of several the first. */
function finder<E extends Entity>(
	entities: E[],
): (wanted: string | undefined) => E | undefined {
	const found = new Map<unknown, E>();
	for (const one of entities)
		for (const name of [one.name, plain(one.file, one.map, "id")])
			if (name !== undefined && !found.has(name)) found.set(name, one);
	return (wanted) => (wanted === undefined ? undefined : found.get(wanted));
}
