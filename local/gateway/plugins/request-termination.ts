import { standIn } from "./stand-in";

/** Kong's request-termination: a fixed body, or `{"message": …}`. */
export const requestTermination = standIn(
	2,
	{
		status_code: { type: "integer", default: 503 },
		content_type: { type: "string" },
		body: { type: "string" },
		message: { type: "string", default: "Service unavailable" },
		echo: { const: false },
	},
	(_, { status_code: status, content_type, body, message }) =>
		body === undefined
			? { status, body: { message } }
			: {
					status,
					body,
					headers: {
						"content-type": content_type ?? "application/json; charset=utf-8",
					},
				},
);
