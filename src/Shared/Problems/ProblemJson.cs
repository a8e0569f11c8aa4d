using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi;

/// <summary>The types that problem details consist of, for what is not written by the app's options for JSON.</summary>
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(Dictionary<string, string[]>))]
internal sealed partial class ProblemJson : JsonSerializerContext
{
    public static ProblemJson Readable { get; } = new(ReadableJson.NewOptions());
}
