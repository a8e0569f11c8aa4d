namespace PoolApi.Problems;

/// <summary>The catalogue of the service's own problems: those of its routes, its keys, and of what the server and the routing refuse.</summary>
internal static class ServiceProblems
{
    public static readonly ProblemType NotAcceptable = new(
        "not-acceptable", 406, "There is no such format", "the header `Accept` excludes every format that the route can answer");

    public static readonly ProblemType RequestTimeout = new(
        "request-timeout", 408, "The request came too slowly", "the body came more slowly than the server waits for", ProblemRetry.Yes);

    public static readonly ProblemType UnsupportedMedia = new(
        "unsupported-media", 415, "The body is of a kind that is not taken", "the body is of a kind, or has a content coding, that the route does not accept");

    public static readonly ProblemType HostNotAllowed = new(
        "host-not-allowed", 421, "The host is not allowed", "the management routes do not answer for this host (see `Management:AllowedHosts`)");

    public static readonly ProblemType UnprocessableImage = new(
        "unprocessable-image", 422, "The image cannot be processed", "the image is damaged, of a form that is not read, or costs more than the limits permit");

    public static readonly ProblemType UnprocessableHash = new(
        "unprocessable-hash", 422, "The hash cannot be processed", "the hash is no Argon2id hash as a PHC string, or costs more than the limits permit");

    public static IReadOnlyList<ProblemType> All { get; } =
    [
        CommonProblems.WorkFailed, CommonProblems.InternalError, CommonProblems.Overloaded,
        CommonProblems.InvalidRequest, CommonProblems.Unauthorized, CommonProblems.Forbidden, CommonProblems.NotFound, CommonProblems.MethodNotAllowed,
        NotAcceptable, RequestTimeout, CommonProblems.PayloadTooLarge, UnsupportedMedia, HostNotAllowed, UnprocessableImage, UnprocessableHash,
    ];

    /// <summary>The problem of a status that the server, the routing or the framework has chosen.</summary>
    public static ProblemType Of(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => CommonProblems.Unauthorized,
        StatusCodes.Status403Forbidden => CommonProblems.Forbidden,
        StatusCodes.Status404NotFound => CommonProblems.NotFound,
        StatusCodes.Status405MethodNotAllowed => CommonProblems.MethodNotAllowed,
        StatusCodes.Status406NotAcceptable => NotAcceptable,
        StatusCodes.Status408RequestTimeout => RequestTimeout,
        StatusCodes.Status413PayloadTooLarge => CommonProblems.PayloadTooLarge,
        StatusCodes.Status415UnsupportedMediaType => UnsupportedMedia,
        StatusCodes.Status421MisdirectedRequest => HostNotAllowed,
        >= StatusCodes.Status500InternalServerError => CommonProblems.InternalError,
        _ => CommonProblems.InvalidRequest,
    };

    /// <summary>The detail of a response about which nothing is known but the problem.</summary>
    public static string DetailOf(ProblemType type) => type.Status switch
    {
        StatusCodes.Status401Unauthorized =>
            "Send the key that you were given, as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'. There was none, or one that no client has.",
        StatusCodes.Status403Forbidden => "The request is not allowed from here, or with this key.",
        StatusCodes.Status404NotFound => "There is no such route here. GET /openapi/v1.json of the API describes its routes.",
        StatusCodes.Status405MethodNotAllowed => "The route exists, with another method: see the header Allow.",
        StatusCodes.Status406NotAcceptable => "The header Accept excludes every format that the route can answer.",
        StatusCodes.Status408RequestTimeout => "The body was sent more slowly than the server waits for. Send it faster.",
        StatusCodes.Status413PayloadTooLarge => "Send a smaller body.",
        StatusCodes.Status415UnsupportedMediaType => "See the documentation of the route at /openapi/v1.json.",
        StatusCodes.Status421MisdirectedRequest => "The service does not answer for this host.",
        >= StatusCodes.Status500InternalServerError => "The details are in the log, under the trace id.",
        _ => "The request could not be understood.",
    };
}
