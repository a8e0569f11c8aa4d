using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi;

/// <summary>
/// Writes problem details to every client, whatever its Accept header says. The app's problem details service writes first, with the app's
/// customizations. It writes nothing for some clients, such as a browser that accepts only <c>text/html</c> from an MVC app. Then this type
/// writes the problem itself.
/// </summary>
internal static class AnyClientProblem
{
    /// <summary>The trace id of a problem. The log lines of the request have the same id.</summary>
    public static string TraceIdOf(Microsoft.AspNetCore.Http.HttpContext context) => Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    public static async Task WriteAsync(Microsoft.AspNetCore.Http.HttpContext context, ProblemDetails problem)
    {
        await Microsoft.AspNetCore.Http.TypedResults.Problem(problem).ExecuteAsync(context);
        Microsoft.AspNetCore.Http.HttpResponse response = context.Response;
        if (response.HasStarted || response.ContentType is not null) return;
        response.ContentType = "application/problem+json";
        using var json = new Utf8JsonWriter(response.BodyWriter, ReadableJson.WriterOptions);
        Write(json, problem);
        json.Flush();
        await response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static void Write(Utf8JsonWriter json, ProblemDetails problem)
    {
        json.WriteStartObject();
        json.WriteString("type", problem.Type);
        json.WriteString("title", problem.Title);
        json.WriteNumber("status", problem.Status.GetValueOrDefault());
        json.WriteString("detail", problem.Detail);
        foreach ((string name, object? value) in problem.Extensions)
        {
            // A rejection's extensions are strings, or lists of strings by field.
            if (value is string text)
            {
                json.WriteString(name, text);
            }
            else if (value is Dictionary<string, string[]> byField)
            {
                json.WriteStartObject(name);
                foreach ((string field, string[] faults) in byField)
                {
                    json.WriteStartArray(field);
                    foreach (string fault in faults) json.WriteStringValue(fault);
                    json.WriteEndArray();
                }
                json.WriteEndObject();
            }
        }
        json.WriteEndObject();
    }
}
