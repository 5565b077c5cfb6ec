import { createHash, randomUUID } from "node:crypto";
import Ajv, { type ErrorObject, type Schema } from "ajv";
import { pathFault } from "./paths";
import { readInput } from "./read-file";
import { parseSource, positionAt } from "./text";

/** A plugin entry: a plugin configured on a Service or on a Route. */
export interface PluginEntry {
	id: string;
	name: string;
	config: Record<string, unknown>;
	/** Ids of what the entry is configured on, as Kong adds them to the configuration it sends. */
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
export interface Route {
	entity: RouteEntity;
	service: ServiceEntity | undefined;
	plugins: PluginEntry[];
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
export interface Configuration {
	routes: Route[];
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
const list = (items: object) => ({ type: "array", items, default: [] });

const entity = { id: text, tags: texts };
const plugin = object(
	{ ...entity, name: text, config: { type: "object", default: {} } },
	["name"],
);
const route = object(
	{
		...entity,
		name: text,
		paths: texts,
		protocols: { ...texts, default: ["http", "https"] },
		strip_path: { type: "boolean", default: true },
		plugins: list(plugin),
	},
	["name", "paths"],
);
const service = object(
	{
		...entity,
		name: text,
		url: text,
		routes: list(route),
		plugins: list(plugin),
	},
	["name", "url"],
);
const consumer = object({
	...entity,
	username: text,
	custom_id: text,
	basicauth_credentials: list(
		object({ ...entity, username: text, password: text }, [
			"username",
			"password",
		]),
	),
	keyauth_credentials: list(object({ ...entity, key: text }, ["key"])),
	acls: list(object({ ...entity, group: text }, ["group"])),
	jwt_secrets: list(
		object(
			{
				...entity,
				key: text,
				secret: text,
				algorithm: { ...text, default: "HS256" },
				rsa_public_key: text,
			},
			["key"],
		),
	),
});
const servicePlugin = object(
	{
		...entity,
		name: text,
		service: text,
		config: { type: "object", default: {} },
	},
	["name", "service"],
);
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

interface PluginSource {
	id?: string;
	name: string;
	config: Record<string, unknown>;
}
interface RouteSource {
	id?: string;
	name: string;
	protocols: string[];
	paths: string[];
	strip_path: boolean;
	plugins: PluginSource[];
}
interface ServiceSource {
	id?: string;
	name: string;
	url: string;
	routes: RouteSource[];
	plugins: PluginSource[];
}
interface ServicePluginSource extends PluginSource {
	/** Name of the Service, which another file may define. */
	service: string;
}
interface ConsumerSource {
	id?: string;
	username?: string;
	custom_id?: string;
	basicauth_credentials: { password: string }[];
	keyauth_credentials: object[];
	jwt_secrets: object[];
	acls: object[];
}
interface DeclarativeFile {
	services: ServiceSource[];
	routes: RouteSource[];
	plugins: ServicePluginSource[];
	consumers: ConsumerSource[];
	ca_certificates: { id: string; cert: string }[];
}

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

const checkFile = checker<DeclarativeFile>(declarativeFile);

/**
 * Reads declarative configuration files (format 3.0) into one configuration.
 *
 * @param files paths of YAML files
 * @throws naming the file and the member the gateway does not support
 */
export function loadDeclarative(files: string[]): Configuration {
	const parts = files.map((file) => readFile(readInput(file), file));
	const merged = mergeConfigurations(parts.map(({ own }) => own));
	for (const { plugins, name } of parts)
		for (const plugin of plugins) addToService(plugin, merged, name);
	return merged;
}

/** Adds a plugin entry that stands apart from its Service; those of the Service's routes win over it. */
function addToService(
	{ service, ...source }: ServicePluginSource,
	{ routes }: Configuration,
	file: string,
): void {
	const own = routes.filter((route) => route.service?.name === service);
	if (!own[0]?.service)
		throw new Error(
			`${file}: ${source.name}: no Service ${service} with a route`,
		);
	const entry = pluginEntry(source, { service_id: own[0].service.id });
	for (const { plugins } of own)
		if (!plugins.some(({ name }) => name === entry.name)) plugins.push(entry);
}

function mergeConfigurations(parts: Configuration[]): Configuration {
	return {
		routes: parts.flatMap((part) => part.routes),
		consumers: parts.flatMap((part) => part.consumers),
		basicAuthCredentials: parts.flatMap((part) => part.basicAuthCredentials),
		keyAuthCredentials: parts.flatMap((part) => part.keyAuthCredentials),
		jwtSecrets: parts.flatMap((part) => part.jwtSecrets),
		acls: parts.flatMap((part) => part.acls),
		caCertificates: new Map(parts.flatMap((part) => [...part.caCertificates])),
	};
}

/**
 * Reads one declarative configuration.
 *
 * @param yaml the text of the file
 * @param name the file's name, for messages
 */
export function parseDeclarative(yaml: string, name: string): Configuration {
	const { own, plugins } = readFile(yaml, name);
	for (const plugin of plugins) addToService(plugin, own, name);
	return own;
}

/** What a file defines, and its plugin entries on Services that other files may define. */
function readFile(yaml: string, name: string) {
	const file = checkFile(parseYaml(yaml, name), name);
	for (const { paths } of [
		...file.services.flatMap(({ routes }) => routes),
		...file.routes,
	])
		for (const fault of paths.map(pathFault))
			if (fault) throw new Error(`${name}: ${fault}`);
	const consumers = file.consumers.map((source) => {
		const {
			basicauth_credentials,
			keyauth_credentials,
			jwt_secrets,
			acls,
			...own
		} = source;
		return {
			consumer: { ...entityOf(own), updated_at: now() },
			basicauth_credentials,
			keyauth_credentials,
			jwt_secrets,
			acls,
		};
	});
	const own: Configuration = {
		routes: [
			...file.services.flatMap((source) => {
				const service = serviceEntity(source);
				const plugins = source.plugins.map((plugin) =>
					pluginEntry(plugin, { service_id: service.id }),
				);
				return source.routes.map((route) => routeOf(route, service, plugins));
			}),
			...file.routes.map((route) => routeOf(route, undefined, [])),
		],
		consumers: consumers.map(({ consumer }) => consumer),
		basicAuthCredentials: consumers.flatMap((source) =>
			source.basicauth_credentials.map((credential) => ({
				...credentialOf(credential, source.consumer),
				// Kong keeps the SHA-1 of password and consumer id.
				password: createHash("sha1")
					.update(credential.password + source.consumer.id)
					.digest("hex"),
			})),
		),
		keyAuthCredentials: consumers.flatMap((source) =>
			source.keyauth_credentials.map((credential) =>
				credentialOf(credential, source.consumer),
			),
		),
		jwtSecrets: consumers.flatMap((source) =>
			source.jwt_secrets.map((credential) => ({
				// Kong makes up a secret when none is given.
				secret: randomUUID().replaceAll("-", ""),
				...credentialOf(credential, source.consumer),
			})),
		),
		acls: consumers.flatMap((source) =>
			source.acls.map((membership) =>
				credentialOf(membership, source.consumer),
			),
		),
		caCertificates: new Map(
			file.ca_certificates.map(({ id, cert }) => [id, cert]),
		),
	};
	return { own, plugins: file.plugins, name };
}

/** The value of a YAML text; what is wrong with it is said without a word of it, as there are keys in it. */
function parseYaml(yaml: string, name: string): unknown {
	const source = parseSource(yaml, name);
	const [fault] = source.faults;
	if (!fault) return source.document.toJS({ maxAliasCount: -1 });
	const { line, column } = positionAt(source, fault.offset);
	throw new Error(`${name}:${line}:${column}: ${fault.message}`);
}

/** The consumer a credential belongs to. */
export function consumerOf(
	{ consumers }: Configuration,
	credential: Credential,
): Consumer | undefined {
	return consumers.find(({ id }) => id === credential.consumer.id);
}

function now(): number {
	return Math.floor(Date.now() / 1000);
}

function entityOf<T extends object>(source: T) {
	return { id: randomUUID() as string, created_at: now(), ...source };
}

function credentialOf(source: object, consumer: Consumer): Credential {
	return { ...entityOf(source), consumer: { id: consumer.id } };
}

function serviceEntity({ url, routes, plugins, ...own }: ServiceSource) {
	const { protocol, hostname, port, pathname } = new URL(url);
	return {
		...entityOf(own),
		updated_at: now(),
		ws_id: WORKSPACE_ID,
		enabled: true,
		protocol: protocol.slice(0, -1),
		host: hostname,
		port: Number(port) || (protocol === "https:" ? 443 : 80),
		...(pathname !== "/" && { path: pathname }),
		retries: 5,
		connect_timeout: 60000,
		read_timeout: 60000,
		write_timeout: 60000,
	};
}

function routeOf(
	{ plugins, ...own }: RouteSource,
	service: ServiceEntity | undefined,
	servicePlugins: PluginEntry[],
): Route {
	const entity: RouteEntity = {
		...entityOf(own),
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
	const routePlugins = plugins.map((plugin) =>
		pluginEntry(plugin, { route_id: entity.id }),
	);
	// The entry on the route wins over one of the same plugin on the service.
	const inherited = servicePlugins.filter(
		({ name }) => !routePlugins.some((plugin) => plugin.name === name),
	);
	return { entity, service, plugins: [...routePlugins, ...inherited] };
}

function pluginEntry(
	{ id, name, config }: PluginSource,
	scope: PluginEntry["scope"],
): PluginEntry {
	return { id: id ?? randomUUID(), name, config, scope };
}
