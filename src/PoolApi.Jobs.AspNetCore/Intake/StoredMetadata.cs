using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>What a job stores of its request in addition to the method, path, query, content type and body: one line of text.</summary>
/// <remarks>
/// <code>
///   traceparent                written by the first version, which stored nothing else
///   traceparent {"host":…}     either part may be missing
/// </code>
/// An instance of the first version finds no trace in the second form, and runs the request without the rest. A later version may add
/// members: unknown ones are skipped. A client cannot forge this text: a trace id that comes from a client in another format begins with a bar.
/// </remarks>
internal sealed record StoredMetadata
{
    /// <summary>The longest text, in bytes, with the captured headers and user. Every claim of the job reads it.</summary>
    public const int MaxCaptured = 32 * 1024;

    private const int TraceParentLength = 55;

    /// <summary>The metadata of a job that has none.</summary>
    public static StoredMetadata None { get; } = new() { IsTraceOnly = true };

    /// <summary>The W3C traceparent of the request, if it was traced.</summary>
    [JsonIgnore]
    public string? TraceParent { get; init; }

    /// <summary>Only the trace was stored: the other values are unknown, and not empty.</summary>
    [JsonIgnore]
    public bool IsTraceOnly { get; init; }

    /// <summary><see langword="null"/>: http.</summary>
    public string? Scheme { get; init; }

    public string? Host { get; init; }

    public string? PathBase { get; init; }

    /// <summary>The route's values, as text, which is what they are in a path.</summary>
    public IReadOnlyDictionary<string, string?>? Route { get; init; }

    public IReadOnlyDictionary<string, string?[]>? Headers { get; init; }

    /// <summary><see langword="null"/>: the invariant one.</summary>
    public string? Culture { get; init; }

    /// <summary><see langword="null"/>: the invariant one.</summary>
    public string? UICulture { get; init; }

    public IReadOnlyList<StoredIdentity>? User { get; init; }

    /// <summary>Captures a request. To be called in the execution context of the request, which has its culture.</summary>
    public static StoredMetadata Of(HttpContext context, RequestCapture capture)
    {
        HttpRequest request = context.Request;
        return new StoredMetadata
        {
            TraceParent = CurrentTrace,
            Scheme = request.Scheme == "http" ? null : request.Scheme,
            Host = request.Host.Value is { Length: > 0 } host ? host : null,
            PathBase = request.PathBase.HasValue ? request.PathBase.Value : null,
            Route = RouteOf(request.RouteValues),
            Headers = HeadersOf(request.Headers, capture),
            Culture = NameOf(CultureInfo.CurrentCulture),
            UICulture = NameOf(CultureInfo.CurrentUICulture),
            User = capture.HasUser ? StoredIdentity.Of(context.User) : null,
        };
    }

    /// <summary>Captures the code that makes a job: its trace and its culture.</summary>
    public static StoredMetadata OfCode() => new()
    {
        TraceParent = CurrentTrace,
        Culture = NameOf(CultureInfo.CurrentCulture),
        UICulture = NameOf(CultureInfo.CurrentUICulture),
    };

    /// <summary>Reads a text that <see cref="ToText"/>, or the first version, has written.</summary>
    /// <exception cref="JsonException">The text is neither.</exception>
    public static StoredMetadata Parse(string? text)
    {
        if (text is null) return None;
        int start = StartOfRest(text);
        if (start < 0) return None with { TraceParent = text };
        StoredMetadata read = JsonSerializer.Deserialize(text.AsSpan(start), StoredMetadataJson.Compact.StoredMetadata)
            ?? throw new JsonException("The stored metadata of the request is null.");
        return start == 0 ? read : read with { TraceParent = text[..TraceParentLength] };
    }

    public string ToText()
    {
        string rest = JsonSerializer.Serialize(this, StoredMetadataJson.Compact.StoredMetadata);
        return TraceParent is null ? rest : $"{TraceParent} {rest}";
    }

    /// <summary>The length of a text with captured headers or a captured user, in bytes; 0 without any.</summary>
    public int CapturedBytes(string text) =>
        User is null && Headers?.Keys.Any(static n => !IsUsualHeader(n)) != true ? 0 : Encoding.UTF8.GetByteCount(text);

    /// <summary>The cultures; <see langword="null"/> if they are unknown.</summary>
    [JsonIgnore]
    public (CultureInfo Culture, CultureInfo UICulture)? Cultures
    {
        get
        {
            try
            {
                return IsTraceOnly ? null : (CultureInfo.GetCultureInfo(Culture ?? ""), CultureInfo.GetCultureInfo(UICulture ?? ""));
            }
            catch (CultureNotFoundException)
            {
                // This machine lacks a culture of the machine that accepted the request.
                return null;
            }
        }
    }

    private static string? CurrentTrace =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { Length: TraceParentLength } id } ? id : null;

    /// <returns>-1: there is nothing but the trace.</returns>
    private static int StartOfRest(string text)
    {
        if (text.StartsWith('{')) return 0;
        bool isTraced = text.Length > TraceParentLength + 1 && text[TraceParentLength] == ' '
            && ActivityContext.TryParse(text[..TraceParentLength], null, out _);
        return isTraced ? TraceParentLength + 1 : -1;
    }

    /// <summary>The body is stored as it was received, so its coding is needed to read it.</summary>
    private static bool IsUsualHeader(string name) => name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase);

    private static Dictionary<string, string?>? RouteOf(RouteValueDictionary values) => values.Count == 0
        ? null
        : values.ToDictionary(
            static v => v.Key,
            static v => v.Value is null ? null : Convert.ToString(v.Value, CultureInfo.InvariantCulture),
            StringComparer.OrdinalIgnoreCase);

    private static Dictionary<string, string?[]>? HeadersOf(IHeaderDictionary headers, RequestCapture capture)
    {
        Dictionary<string, string?[]>? kept = null;
        foreach (string name in capture.HeaderNames.Append("Content-Encoding"))
        {
            if (headers.TryGetValue(name, out StringValues values) && values.Count > 0) (kept ??= [])[name] = values.ToArray();
        }
        return kept;
    }

    private static string? NameOf(CultureInfo culture) => culture.Name.Length == 0 ? null : culture.Name;
}

/// <summary>Only this program reads the text, so nothing is escaped for HTML.</summary>
[JsonSerializable(typeof(StoredMetadata))]
internal sealed partial class StoredMetadataJson : JsonSerializerContext
{
    public static StoredMetadataJson Compact { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
