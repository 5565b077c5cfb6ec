import { createHash, randomUUID } from "node:crypto";
import Ajv, { type ErrorObject, type Schema } from "ajv";
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
import {
	contentOf,
	maps,
	parseSource,
	plain,
	positionAt,
	rootOf,
	type SourceFile,
} from "../../declarative/text";

/** A plugin configured on a Service or on a Route. */
export interface PluginEntity {
	id: string;
	name: string;
	config: Record<string, unknown>;
	/** Id of what it is configured on, as Kong adds it to the configuration it sends. */
	scope: { service_id?: string; route_id?: string };
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
	[member: string]: unknown;
}

/** A route with what runs on it and where it leads. */
export interface ServedRoute {
	entity: RouteEntity;
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
	keyAuthCredentials: Credential[];
	jwtSecrets: Credential[];
	/** Memberships of consumers in the groups of acl. */
	acls: Credential[];
	/** PEM by id. */
	caCertificates: Map<string, string>;
}

/** One workspace, as in every DB-less Kong. */
export const WORKSPACE_ID = randomUUID();

const text = { type: "string" } as const;
const texts = { type: "array", items: text } as const;
const object = (properties: object, required: string[] = []) => ({
	type: "object",
	properties,
	required,
	additionalProperties: false,
});
const list = (items: object) => ({ type: "array", items });

const entity = { id: text, tags: texts };
const named = { ...entity, name: text };
const plugin = object({ ...named, config: { type: "object" } }, ["name"]);
const servicePlugin = object({ ...plugin.properties, service: text }, [
	"name",
	"service",
]);
const strip_path = { type: "boolean" };
const route = object(
	{
		...named,
		paths: texts,
		protocols: texts,
		strip_path,
		plugins: list(plugin),
	},
	["name", "paths"],
);
const service = object(
	{ ...named, url: text, routes: list(route), plugins: list(plugin) },
	["name", "url"],
);
const login = { ...entity, username: text, password: text };
const secret = { secret: text, algorithm: text, rsa_public_key: text };
const consumer = object({
	...entity,
	username: text,
	custom_id: text,
	basicauth_credentials: list(object(login, ["username", "password"])),
	keyauth_credentials: list(object({ ...entity, key: text }, ["key"])),
	acls: list(object({ ...entity, group: text }, ["group"])),
	jwt_secrets: list(object({ ...entity, key: text, ...secret }, ["key"])),
});
const declarativeFile = object(
	{
		_format_version: { const: "3.0" },
		services: list(service),
		routes: list(route),
		plugins: list(servicePlugin),
		consumers: list(consumer),
		ca_certificates: list(object({ id: text, cert: text }, ["id", "cert"])),
	},
	["_format_version"],
);

const ajv = new Ajv({ useDefaults: true, strict: false });

/**
 * Compiles a check that fills in defaults and refuses what the schema does not know, by name.
 *
 * @param what is checked, for the message
 */
export function checker<T>(
	schema: Schema,
): (value: unknown, what: string) => T {
	const validate = ajv.compile<T>(schema);
	return (value, what) => {
		if (validate(value)) return value;
		throw new Error(`${what}: ${explain(validate.errors?.[0])}`);
	};
}

function explain(error: ErrorObject | undefined): string {
	const { additionalProperty } = error?.params ?? {};
	return additionalProperty
		? `${error?.instancePath}/${additionalProperty} is not supported by the local gateway`
		: `${error?.instancePath} ${error?.message}`.trim();
}

const checkFile = checker(declarativeFile);

/**
 * Reads declarative configuration files (format 3.0) into what the gateway serves.
 *
 * @param paths of YAML files
 * @throws naming the file and the member the gateway does not support
 */
export function loadDeclarative(paths: string[]): Entities {
	return entitiesOf(readConfiguration(paths));
}

/**
 * Reads one declarative configuration.
 *
 * @param yaml the text of the file
 * @param name the file's name, for messages
 */
export function parseDeclarative(yaml: string, name: string): Entities {
	return entitiesOf(makeConfiguration([parseSource(yaml, name)]));
}

/** Makes the entities as Kong does: with ids, times and defaults. */
function entitiesOf(configuration: Configuration): Entities {
	const { files, routes, plugins, consumers } = configuration;
	for (const file of files) requireSupported(file);
	for (const { paths, file } of routes)
		for (const fault of paths.map(pathFault))
			if (fault) throw new Error(`${file.path}: ${fault}`);
	const stored = once(storedEntity);
	const serviceOf = once((service: Entity) =>
		serviceEntity(service.name, stored(service)),
	);
	const pluginOf = once((entry: PluginEntry): PluginEntity => {
		const { file, map, name, kind, on } = entry;
		if (!on)
			throw new Error(
				`${file.path}: ${name}: no Service ${plain(file, map, "service")}`,
			);
		return {
			id: stored(entry).id,
			name,
			config: configOf(entry),
			scope: { [`${kind}_id`]: stored(on).id },
		};
	});
	for (const entry of plugins) pluginOf(entry);
	const credentials = (list: string): Credential[] =>
		consumers.flatMap((consumer) =>
			children(consumer, list).map((credential) => ({
				...stored(credential),
				consumer: { id: stored(consumer).id },
			})),
		);
	return {
		routes: routes.map((route) => {
			const service = route.service && serviceOf(route.service);
			return {
				entity: routeEntity(route, stored(route), service),
				service,
				plugins: pluginsOn(configuration, route).map(pluginOf),
			};
		}),
		consumers: consumers.map((consumer) => ({
			...stored(consumer),
			updated_at: now(),
		})),
		basicAuthCredentials: credentials("basicauth_credentials").map(
			(credential) => ({
				...credential,
				// Kong keeps the SHA-1 of password and consumer id.
				password: createHash("sha1")
					.update(`${credential.password}${credential.consumer.id}`)
					.digest("hex"),
			}),
		),
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
}

/** @throws naming what cannot be read or is not supported, without a word of it, as there are keys in it */
function requireSupported(file: SourceFile): void {
	const [fault] = file.faults;
	if (!fault) {
		checkFile(contentOf(file, rootOf(file)), file.path);
		return;
	}
	const { line, column } = positionAt(file, fault.offset);
	throw new Error(`${file.path}:${line}:${column}: ${fault.message}`);
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
		...Object.fromEntries(members.filter(([name]) => !NESTED.includes(name))),
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

function serviceEntity(name: string, { url, ...own }: Stored): ServiceEntity {
	const { protocol, hostname, port, pathname } = new URL(String(url));
	return {
		...own,
		name,
		updated_at: now(),
		ws_id: WORKSPACE_ID,
		enabled: true,
		protocol: protocol.slice(0, -1),
		// As LuaSocket parses it: an IPv6 address without its brackets (Kong: entities/services.lua).
		host: hostname.replace(/^\[(.+)\]$/, "$1"),
		port: Number(port) || (protocol === "https:" ? 443 : 80),
		...(pathname !== "/" && { path: pathname }),
		retries: 5,
		connect_timeout: 60000,
		read_timeout: 60000,
		write_timeout: 60000,
	};
}

function routeEntity(
	{ name, paths }: Route,
	own: Stored,
	service: ServiceEntity | undefined,
): RouteEntity {
	return {
		name,
		paths,
		protocols: ["http", "https"],
		strip_path: true,
		...own,
		updated_at: now(),
		ws_id: WORKSPACE_ID,
		...(service && { service: { id: service.id } }),
		path_handling: "v0",
		regex_priority: 0,
		preserve_host: false,
		request_buffering: true,
		response_buffering: true,
		https_redirect_status_code: 426,
	};
}
