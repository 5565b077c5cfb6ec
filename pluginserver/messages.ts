/**
 * The messages of Kong's protocol `ProtoBuf:1` that this server reads and writes, with the field numbers of
 * Kong's `pluginsocket.proto`, and the PDK methods with what they take and give.
 */
import type { PbfWriter } from "pbf";
import {
	bool,
	bytes,
	double,
	int,
	type Message,
	message,
	nested,
	type Reader,
	repeated,
	text,
} from "./protobuf";

/** What a `google.protobuf.Value` is in JavaScript. */
export type Json =
	| undefined
	| null
	| boolean
	| number
	| string
	| Json[]
	| { [name: string]: Json };

/**
 * `google.protobuf.Value`, as plain JavaScript. Kong's `nil` is `undefined`, and so is a value without a
 * kind: a database's null within an entity (Kong: pb_rpc.lua, `structpb_value`). Read without the objects between
 * that the fields would make: entities come with every request.
 */
export const Value: Message<Json> = {
	read(reader, end) {
		let value: Json;
		while (reader.pos < end) {
			const tag = reader.readVarint();
			if (tag === STRING) value = reader.readText();
			else if (tag === STRUCT) value = Struct.read(reader, reader.readEnd());
			else if (tag === NUMBER) value = reader.readDouble();
			else if (tag === BOOL) value = reader.readBoolean();
			else if (tag === LIST) value = ListValue.read(reader, reader.readEnd());
			else reader.skip(tag);
		}
		reader.requireAt(end);
		return value;
	},
	write: (value, writer) => ValueKind.write(kindOf(value), writer),
};

/** `google.protobuf.Struct` */
export const Struct: Message<{ [name: string]: Json }> = {
	read(reader, end) {
		const struct: { [name: string]: Json } = {};
		while (reader.pos < end) {
			const tag = reader.readVarint();
			if (tag === FIELDS) readMember(struct, reader, reader.readEnd());
			else reader.skip(tag);
		}
		reader.requireAt(end);
		return struct;
	},
	write(struct: { [name: string]: Json }, writer: PbfWriter) {
		const fields = Object.entries(struct).map(([key, value]) => ({
			key,
			value,
		}));
		StructFields.write({ fields }, writer);
	},
};

function readMember(
	struct: { [name: string]: Json },
	reader: Reader,
	end: number,
): void {
	let key = "";
	let value: Json;
	while (reader.pos < end) {
		const tag = reader.readVarint();
		if (tag === KEY) key = reader.readText();
		else if (tag === VALUE) value = Value.read(reader, reader.readEnd());
		else reader.skip(tag);
	}
	reader.requireAt(end);
	// An assignment of this name makes no member.
	if (key === "__proto__")
		Object.defineProperty(struct, key, { ...MEMBER, value });
	else struct[key] = value;
}

/** As an assignment makes them. */
const MEMBER = { configurable: true, enumerable: true, writable: true };

/** `google.protobuf.ListValue` */
export const ListValue: Message<Json[]> = {
	read: (reader, end) => ListValues.read(reader, end).values ?? [],
	write: (values, writer) => ListValues.write({ values }, writer),
};

const ValueKind = message({
	null: int(1),
	number: double(2),
	string: text(3),
	bool: bool(4),
	struct: nested(5, Struct),
	list: nested(6, ListValue),
});

const StructFields = message({
	fields: repeated(
		nested(1, message({ key: text(1), value: nested(2, Value) })),
	),
});

const ListValues = message({ values: repeated(nested(1, Value)) });

// Tags of the fields above: number and wire type.
const [NUMBER, STRING, BOOL] = [0x11, 0x1a, 0x20];
const [STRUCT, LIST] = [0x2a, 0x32];
const [FIELDS, KEY, VALUE] = [0x0a, 0x0a, 0x12];

function kindOf(value: Json) {
	if (typeof value === "string") return { string: value };
	if (typeof value === "number") return { number: value };
	if (typeof value === "boolean") return { bool: value };
	if (Array.isArray(value)) return { list: value };
	return value ? { struct: value } : { null: 0 };
}

const Instance = message({ instance_id: int(1) });

/** A call of Kong. */
export const RpcCall = message({
	sequence: int(1),
	cmd_get_plugin_names: nested(31, message({})),
	cmd_get_plugin_info: nested(32, message({ name: text(1) })),
	cmd_start_instance: nested(33, message({ name: text(1), config: bytes(2) })),
	cmd_get_instance_status: nested(34, Instance),
	cmd_close_instance: nested(35, Instance),
	cmd_handle_event: nested(
		36,
		message({ instance_id: int(1), event_name: text(2) }),
	),
});

/** The answer to a call. */
export const RpcReturn = message({
	sequence: int(1),
	plugin_names: nested(31, message({ names: repeated(text(1)) })),
	plugin_info: nested(
		32,
		message({
			name: text(1),
			updated_at: int(2),
			loaded_at: int(3),
			phases: repeated(text(4)),
			version: text(5),
			priority: int(6),
			schema: text(7),
		}),
	),
	instance_status: nested(
		33,
		message({
			name: text(1),
			instance_id: int(2),
			config: nested(3, Value),
			started_at: int(4),
		}),
	),
});

/** Arguments and results of PDK methods. */
const Empty = message({});
const Int = message({ v: int(1) });
const Text = message({ v: text(1) });
const KeyValue = message({ k: text(1), v: nested(2, Value) });
const ExitArgs = message({
	status: int(1),
	body: bytes(2),
	headers: nested(3, Struct),
});
const RawBody = message({
	content: bytes(1),
	body_filepath: text(2),
	error: text(3),
});
const Route = message({
	id: text(1),
	created_at: int(2),
	updated_at: int(3),
	name: text(4),
	protocols: repeated(text(5)),
	methods: repeated(text(6)),
	hosts: repeated(text(7)),
	paths: repeated(text(8)),
	headers: repeated(text(9)),
	https_redirect_status_code: int(10),
	regex_priority: int(11),
	strip_path: bool(12),
	preserve_host: bool(13),
	snis: repeated(text(14)),
	sources: repeated(text(15)),
	destinations: repeated(text(16)),
	tags: repeated(text(17)),
	service: nested(18, message({ id: text(1) })),
});
const Service = message({
	id: text(1),
	created_at: int(2),
	updated_at: int(3),
	name: text(4),
	retries: int(5),
	protocol: text(6),
	host: text(7),
	port: int(8),
	path: text(9),
	connect_timeout: int(10),
	write_timeout: int(11),
	read_timeout: int(12),
	tags: repeated(text(13)),
	client_certificate: nested(14, message({ id: text(1) })),
});

/** A PDK method: its name on the wire, and the types of its argument and its result. */
export interface PdkMethod<Argument, Result> {
	name: string;
	takes: Message<Argument>;
	gives: Message<Result>;
}

function method<Argument, Result>(
	name: string,
	takes: Message<Argument>,
	gives: Message<Result>,
): PdkMethod<Argument, Result> {
	return { name, takes, gives };
}

/** The PDK methods that this server calls. An empty result of Kong's is `nil`, or an empty text. */
export const PDK = {
	getForwardedIp: method("kong.client.get_forwarded_ip", Empty, Text),
	getSharedCtx: method("kong.ctx.shared.get", Text, Value),
	logInfo: method("kong.log.info", ListValue, Empty),
	logWarn: method("kong.log.warn", ListValue, Empty),
	logErr: method("kong.log.err", ListValue, Empty),
	setSerializeValue: method("kong.log.set_serialize_value", KeyValue, Empty),
	getVar: method("kong.nginx.get_var", Text, Text),
	getCtx: method("kong.nginx.get_ctx", Text, Value),
	getForwardedScheme: method("kong.request.get_forwarded_scheme", Empty, Text),
	getForwardedHost: method("kong.request.get_forwarded_host", Empty, Text),
	getForwardedPort: method("kong.request.get_forwarded_port", Empty, Int),
	getMethod: method("kong.request.get_method", Empty, Text),
	getQuery: method("kong.request.get_query", Int, Struct),
	getHeader: method("kong.request.get_header", Text, Text),
	getRawBody: method("kong.request.get_raw_body", Empty, RawBody),
	setResponseHeader: method("kong.response.set_header", KeyValue, Empty),
	exit: method("kong.response.exit", ExitArgs, Empty),
	getRoute: method("kong.router.get_route", Empty, Route),
	getService: method("kong.router.get_service", Empty, Service),
	setHeader: method("kong.service.request.set_header", KeyValue, Empty),
	clearHeader: method("kong.service.request.clear_header", Text, Empty),
};
