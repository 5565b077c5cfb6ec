import { createHash, randomUUID } from "node:crypto";
import Ajv, { type ErrorObject, type Schema } from "ajv";
import { isMap, type Node, type YAMLMap } from "yaml";
import {
	type Configuration,
	children,
	configOf,
	type Entity,
	makeConfiguration,
	type PluginEntry,
	pluginsOn,
	type Route,
	readConfiguration,
} from "../../declarative/model";
import { pathFault } from "../../declarative/paths";
import type { Matchable } from "../../declarative/router";
import {
	contentOf,
	lookup,
	maps,
	parseSource,
	plain,
	positionAt,
	positionOf,
	rootOf,
	type SourceFile,
} from "../../declarative/text";

/** A plugin configured on a Service, on a Route or everywhere. */
export interface PluginEntity {
	id: string;
	name: string;
	config: Record<string, unknown>;
	/** Id of what it is configured on, as Kong adds it to the configuration it sends; empty for a global plugin. */
	scope: { service_id?: string; route_id?: string };
	/** The file it is in. */
	file: string;
	/** Where it stands: file and line. */
	place: string;
	/** What it is configured on and where it stands, for messages, e.g. `key-auth on route orders (kong.yml:12)`. */
	what: string;
}

/** Kong's service entity, as the PDK hands it out. */
export interface ServiceEntity {
	id: string;
	name: string;
	protocol: string;
	host: string;
	port: number;
	path?: string;
	[member: string]: unknown;
}

/** Kong's route entity, as the PDK hands it out. */
export interface RouteEntity {
	id: string;
	name: string;
	protocols: string[];
	paths: string[];
	strip_path: boolean;
	preserve_host: boolean;
	[member: string]: unknown;
}

/** A route with what runs on it and where it leads. */
export interface ServedRoute {
	entity: RouteEntity;
	/** What Kong's router looks at. */
	matchable: Matchable;
	service: ServiceEntity | undefined;
	plugins: PluginEntity[];
}

export interface Consumer {
	id: string;
	username?: string;
	custom_id?: string;
	[member: string]: unknown;
}

/** A credential entity with the consumer it belongs to. */
export interface Credential {
	id: string;
	consumer: { id: string };
	[member: string]: unknown;
}

/** What the gateway serves: Kong's entities, their defaults filled in. */
export interface Entities {
	routes: ServedRoute[];
	consumers: Consumer[];
	basicAuthCredentials: Credential[];
	/** The passwords of basic-auth by credential id, as far as the files have them in plain text; Kong keeps hashes only. */
	passwords: Map<string, string>;
	keyAuthCredentials: Credential[];
	jwtSecrets: Credential[];
	/** Memberships of consumers in the groups of acl. */
	acls: Credential[];
	/** PEM by id. */
	caCertificates: Map<string, string>;
}

/** Something in a configuration that the local gateway does not imitate. */
export interface LeftOut {
	/** The kind of thing, the same for each of it, e.g. `plugin rate-limiting`. */
	what: string;
	/** Where it stands: file and line. */
	place: string;
}

/** One workspace, as in every DB-less Kong. */
export const WORKSPACE_ID = randomUUID();

const text = { type: "string" } as const;
const texts = { type: "array", items: text } as const;
const anything = {};
const object = (properties: object, required: string[] = []) => ({
	type: "object",
	properties,
	required,
	additionalProperties: false,
});
const list = (items: object) => ({ type: "array", items });

// What has a constant is imitated as Kong does it by default.
const entity = {
	id: text,
	tags: texts,
	created_at: anything,
	updated_at: anything,
};
const named = { ...entity, name: text };
const plugin = object(
	{
		...named,
		config: { type: "object" },
		_config: text,
		enabled: { type: "boolean" },
		instance_name: text,
		protocols: texts,
		consumer: anything,
		consumer_group: anything,
		route: anything,
		service: anything,
	},
	["name"],
);
const route = object({
	...named,
	expression: text,
	headers: { type: "object", additionalProperties: texts },
	hosts: texts,
	https_redirect_status_code: { const: 426 },
	methods: texts,
	path_handling: { const: "v0" },
	paths: texts,
	plugins: list(plugin),
	preserve_host: { type: "boolean" },
	protocols: texts,
	regex_priority: { type: "integer" },
	request_buffering: { const: true },
	response_buffering: { const: true },
	service: anything,
	snis: texts,
	strip_path: { type: "boolean" },
});
const service = object({
	...named,
	connect_timeout: { const: 60000 },
	enabled: { type: "boolean" },
	host: text,
	path: text,
	plugins: list(plugin),
	port: { type: "integer" },
	protocol: { enum: ["http", "https"] },
	read_timeout: { const: 60000 },
	retries: { const: 5 },
	routes: list(route),
	url: text,
	write_timeout: { const: 60000 },
});
const owned = { ...entity, consumer: anything };
const CREDENTIALS = {
	acls: object({ ...owned, group: text }, ["group"]),
	basicauth_credentials: object(
		{
			...owned,
			username: text,
			password: text,
			skip_hash: { type: "boolean" },
		},
		["username", "password"],
	),
	jwt_secrets: object(
		{
			...owned,
			key: text,
			secret: text,
			algorithm: text,
			rsa_public_key: text,
		},
		["key"],
	),
	keyauth_credentials: object({ ...owned, key: text }, ["key"]),
};
const credentialLists = Object.fromEntries(
	Object.entries(CREDENTIALS).map(([name, items]) => [name, list(items)]),
);
const consumer = object({
	...entity,
	username: text,
	custom_id: text,
	plugins: list(plugin),
	...credentialLists,
});
const declarativeFile = {
	...object({
		services: list(service),
		routes: list(route),
		plugins: list(plugin),
		consumers: list(consumer),
		ca_certificates: list(
			object({ ...entity, cert: text, cert_digest: text }, ["cert"]),
		),
		...credentialLists,
	}),
	// Of the format, of decK and of Konnect, about the file itself.
	patternProperties: { "^_": anything },
};

const ajv = new Ajv({ useDefaults: true, strict: false, allErrors: true });

/** Fills in the defaults of a plugin's configuration. */
export interface Checker<T> {
	/** @throws naming what the schema does not know, and `what` is checked */
	(value: unknown, what: string): T;
	/** The fields at fault, each once; none when the configuration is imitated whole. */
	faults(value: object): string[];
}

/** Compiles a check that fills in defaults and refuses what the schema does not know, by name. */
export function checker<T>(schema: Schema): Checker<T> {
	const validate = ajv.compile<T>(schema);
	const check = (value: unknown, what: string) => {
		if (validate(value)) return value;
		throw new Error(`${what}: ${explain(validate.errors?.[0])}`);
	};
	return Object.assign(check, {
		faults: (value: object) => {
			if (validate(structuredClone(value))) return [];
			const pointers = (validate.errors ?? []).map(pointerOf);
			return [...new Set(pointers.map(([field = ""]) => field))];
		},
	});
}

/** The place in a document that an error is about, member by member. */
function pointerOf({ instancePath, params }: ErrorObject): string[] {
	const members = instancePath.split("/").slice(1);
	const { additionalProperty } = params;
	return additionalProperty ? [...members, additionalProperty] : members;
}

function explain(error: ErrorObject | undefined): string {
	const { additionalProperty } = error?.params ?? {};
	return additionalProperty
		? `${error?.instancePath}/${additionalProperty} is not supported by the local gateway`
		: `${error?.instancePath} ${error?.message}`.trim();
}

const validateFile = ajv.compile(declarativeFile);

/**
 * Reads declarative configuration files into what the gateway serves.
 *
 * @param paths of YAML files
 * @throws naming what the gateway does not imitate, and where it stands
 */
export function loadDeclarative(paths: string[]): Entities {
	return whole(entitiesOf(readConfiguration(paths)));
}

/**
 * Reads one declarative configuration.
 *
 * @param yaml the text of the file
 * @param name the file's name, for messages
 * @throws as `loadDeclarative` does
 */
export function parseDeclarative(yaml: string, name: string): Entities {
	return whole(entitiesOf(makeConfiguration([parseSource(yaml, name)])));
}

function whole({ entities, leftOut }: Read): Entities {
	const [first] = leftOut;
	if (!first) return entities;
	throw new Error(
		`${first.place}: ${first.what} is not supported by the local gateway`,
	);
}

/** What was made of a configuration. */
interface Read {
	entities: Entities;
	/** What the gateway does not imitate; all else is in `entities`. */
	leftOut: LeftOut[];
}

/**
 * Makes the entities as Kong does: with ids, times and defaults.
 *
 * @throws for what Kong could not read either, naming file and line
 */
export function entitiesOf(configuration: Configuration): Read {
	const { files, routes, plugins, consumers } = configuration;
	const leftOut = files.flatMap(unknownIn);
	const leave = (what: string, at: Entity) =>
		leftOut.push({ what, place: placeOf(at.file, at.map) });
	const served = routes.filter((route) => {
		const { service, matchable } = route;
		if (matchable.expression !== undefined)
			leave("a route with an expression", route);
		return (
			matchable.expression === undefined &&
			!(service && plain(service.file, service.map, "enabled") === false)
		);
	});
	for (const { paths, file, map } of served)
		for (const fault of paths.map(pathFault))
			if (fault) throw new Error(`${placeOf(file, map)}: ${fault}`);
	const stored = once(storedEntity);
	const serviceOf = once((service: Entity) =>
		serviceEntity(service, stored(service)),
	);
	const pluginOf = once((entry: PluginEntry): PluginEntity => {
		const { file, map, name, kind, on, scope } = entry;
		return {
			id: stored(entry).id,
			name,
			config: configOf(entry),
			scope: on ? { [`${kind}_id`]: stored(on).id } : {},
			file: file.path,
			place: placeOf(file, map),
			what: `${name} on ${scope} (${placeOf(file, map)})`,
		};
	});
	for (const entry of plugins) {
		const { kind, name, on } = entry;
		if (kind === "consumer" || kind === "selectors")
			leave(
				`plugin ${name} on ${kind === "consumer" ? "a consumer or consumer group" : "what selectors choose"}`,
				entry,
			);
		else if (kind !== "global" && !on)
			leave(`plugin ${name} on a ${kind} that is not there`, entry);
	}
	const passwords = new Map<string, string>();
	const credentials = (kind: keyof typeof CREDENTIALS): Credential[] =>
		credentialsOf(configuration, kind, leave).flatMap(
			({ owner, credential }) => {
				const own = stored(credential);
				const { required } = CREDENTIALS[kind];
				// The file's schema has reported it.
				if (required.some((member) => typeof own[member] !== "string"))
					return [];
				const entity = { ...own, consumer: { id: stored(owner).id } };
				const { password } = own;
				if (typeof password !== "string" || isHashed(credential))
					return [entity];
				passwords.set(own.id, password);
				return [
					{ ...entity, password: hashOfPassword(password, entity.consumer.id) },
				];
			},
		);
	const entities = {
		routes: served.map((route) => {
			const service = route.service && serviceOf(route.service);
			return {
				entity: routeEntity(route, stored(route), service),
				matchable: route.matchable,
				service,
				plugins: pluginsOn(configuration, route).map(pluginOf),
			};
		}),
		consumers: consumers.map((consumer) => ({
			...stored(consumer),
			updated_at: now(),
		})),
		basicAuthCredentials: credentials("basicauth_credentials"),
		passwords,
		keyAuthCredentials: credentials("keyauth_credentials"),
		jwtSecrets: credentials("jwt_secrets").map((credential) => ({
			algorithm: "HS256",
			// Kong makes up a secret when none is given.
			secret: randomUUID().replaceAll("-", ""),
			...credential,
		})),
		acls: credentials("acls"),
		caCertificates: new Map(
			files.flatMap((file) =>
				maps(file, rootOf(file), "ca_certificates").map((map) => [
					String(plain(file, map, "id")),
					String(plain(file, map, "cert")),
				]),
			),
		),
	};
	return { entities, leftOut };
}

/** Kong's hash of a basic-auth password. */
export function hashOfPassword(password: string, consumerId: string): string {
	return createHash("sha1").update(`${password}${consumerId}`).digest("hex");
}

/** Whether the file has Kong's hash of a basic-auth password, and not the password. */
function isHashed({ file, map }: Entity): boolean {
	return (
		plain(file, map, "skip_hash") === true ||
		plain(file, rootOf(file), "_transform") === false
	);
}

/** The credentials of a kind, nested in their consumers or in a list of their own. */
function credentialsOf(
	{ files, consumers }: Configuration,
	kind: keyof typeof CREDENTIALS,
	leave: (what: string, at: Entity) => void,
): { owner: Entity; credential: Entity }[] {
	const nested = consumers.flatMap((owner) =>
		children(owner, kind).map((credential) => ({ owner, credential })),
	);
	const apart = files.flatMap((file) =>
		children({ file, map: rootOf(file), name: "" }, kind).flatMap(
			(credential) => {
				const wanted = referenceOf(credential, "consumer");
				const owner = consumers.find((consumer) => isCalled(consumer, wanted));
				if (!owner)
					leave(`${kind} of a consumer that is not there`, credential);
				return owner ? [{ owner, credential }] : [];
			},
		),
	);
	return [...nested, ...apart];
}

/** The name or id by which an entity refers to another. */
function referenceOf({ file, map }: Entity, member: string): unknown {
	const value = plain(file, map, member);
	if (typeof value !== "object" || value === null) return value;
	const { username, name, id } = value as Record<string, unknown>;
	return username ?? name ?? id;
}

function isCalled({ file, map }: Entity, wanted: unknown): boolean {
	return ["username", "custom_id", "id"].some(
		(member) => wanted !== undefined && plain(file, map, member) === wanted,
	);
}

/**
 * What of a file no entity is made of.
 *
 * @throws naming what cannot be read, without a word of it, as there are keys in it
 */
function unknownIn(file: SourceFile): LeftOut[] {
	const [fault] = file.faults;
	if (fault) {
		const { line, column } = positionAt(file, fault.offset);
		throw new Error(`${file.path}:${line}:${column}: ${fault.message}`);
	}
	const root = rootOf(file);
	if (validateFile(withoutNothing(contentOf(file, root)))) return [];
	return (validateFile.errors ?? []).map((error) => {
		const pointer = pointerOf(error);
		const kinds = pointer.filter((member) => !/^\d+$/.test(member));
		const missing = error.params.missingProperty;
		const [member = "the file", ...owner] = [
			...kinds,
			...(missing ? [missing] : []),
		].reverse();
		return {
			what: `${missing ? "what lacks " : ""}${member}${owner[0] ? ` in ${owner[0]}` : ""}`,
			place: placeOf(file, nodeAt(file, root, pointer)),
		};
	});
}

/** A value without members that say nothing: null, which Kong takes for absent, and empty lists and maps. */
export function withoutNothing(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutNothing);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.map(([name, member]) => [name, withoutNothing(member)] as const)
			.filter(
				([, member]) =>
					member !== null &&
					(typeof member !== "object" || Object.keys(member).length > 0),
			),
	);
}

/** The node that a pointer leads to, or the last one on the way that is there. */
function nodeAt(file: SourceFile, root: YAMLMap, pointer: string[]): Node {
	let node: Node = root;
	for (let i = 0; i < pointer.length; i++) {
		const member = pointer[i] ?? "";
		const next: Node | undefined = isMap(node)
			? (maps(file, node, member)[Number(pointer[i + 1])] ??
				lookup(file, node, member))
			: undefined;
		if (!next) return node;
		if (isMap(node) && maps(file, node, member).includes(next as YAMLMap)) i++;
		node = next;
	}
	return node;
}

/** Where something stands: file and line. */
function placeOf(file: SourceFile, node: Node): string {
	const { line } = positionOf(file, node);
	return `${file.path}:${line}`;
}

/** What Kong has of every entity. */
interface Stored {
	id: string;
	created_at: number;
	[member: string]: unknown;
}

/** Members that are lists of other entities. */
const NESTED = [
	"routes",
	"plugins",
	"basicauth_credentials",
	"keyauth_credentials",
	"jwt_secrets",
	"acls",
];

/** An entity's own members, as the schema has checked them, with an id when it has none. */
function storedEntity({ file, map }: Entity): Stored {
	const members = Object.entries(contentOf(file, map) as object);
	return {
		id: randomUUID(),
		created_at: now(),
		...Object.fromEntries(
			members.filter(
				([name, value]) => !NESTED.includes(name) && value !== null,
			),
		),
	};
}

/** Makes one value of each key. */
function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
	const made = new Map<K, V>();
	return (key) => {
		const value = made.get(key) ?? make(key);
		made.set(key, value);
		return value;
	};
}

/** The consumer a credential belongs to. */
export function consumerOf(
	{ consumers }: Entities,
	credential: Credential,
): Consumer | undefined {
	return consumers.find(({ id }) => id === credential.consumer.id);
}

function now(): number {
	return Math.floor(Date.now() / 1000);
}

function serviceEntity(
	{ file, map, name }: Entity,
	{ url, ...own }: Stored,
): ServiceEntity {
	const { protocol, host, port, path } = { ...own, ...addressIn(url) };
	if (typeof host !== "string")
		throw new Error(
			`${placeOf(file, map)}: Service ${name} has no url that can be read, and no host`,
		);
	const scheme = typeof protocol === "string" ? protocol : "http";
	return {
		...own,
		name,
		updated_at: now(),
		ws_id: WORKSPACE_ID,
		enabled: true,
		protocol: scheme,
		host,
		port: Number(port) || (url && scheme === "https" ? 443 : 80),
		...(path !== undefined && { path: String(path) }),
		retries: 5,
		connect_timeout: 60000,
		read_timeout: 60000,
		write_timeout: 60000,
	};
}

/** What Kong makes of the shorthand `url`. */
function addressIn(url: unknown): Record<string, unknown> {
	if (typeof url !== "string" || !URL.canParse(url)) return {};
	const { protocol, hostname, port, pathname } = new URL(url);
	return {
		protocol: protocol.slice(0, -1),
		// As LuaSocket parses it: an IPv6 address without its brackets (Kong: entities/services.lua).
		host: hostname.replace(/^\[(.+)\]$/, "$1"),
		port: Number(port) || undefined,
		path: pathname === "/" ? undefined : pathname,
	};
}

function routeEntity(
	{ name, paths }: Route,
	own: Stored,
	service: ServiceEntity | undefined,
): RouteEntity {
	return {
		name,
		protocols: ["http", "https"],
		strip_path: true,
		regex_priority: 0,
		preserve_host: false,
		...own,
		paths,
		updated_at: now(),
		ws_id: WORKSPACE_ID,
		...(service && { service: { id: service.id } }),
		path_handling: "v0",
		request_buffering: true,
		response_buffering: true,
		https_redirect_status_code: 426,
	};
}
