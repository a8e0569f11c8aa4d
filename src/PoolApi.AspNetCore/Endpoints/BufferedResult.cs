using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// A result that was executed on the pool: its status and headers are already in the response, and its body is here, to be
/// written off the pool.
/// </summary>
internal sealed class BufferedResult : IResult
{
    private readonly MemoryStream _body;

    private BufferedResult(MemoryStream body) => _body = body;

    public long Length => _body.Length;

    /// <summary>Executes the result of a minimal API's handler as the framework would, but into memory. Called on the pool.</summary>
    public static async ValueTask<object?> ExecuteAsync(HttpContext context, object? result)
    {
        if (result is null || ReferenceEquals(result, Results.Empty)) return result;
        return await ExecuteAsync(context, context => WriteAsync(context, result));
    }

    /// <summary>The same for code that writes a response itself.</summary>
    public static async ValueTask<object?> ExecuteAsync(HttpContext context, RequestDelegate write)
    {
        var body = new MemoryStream();
        IHttpResponseBodyFeature response = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        try
        {
            await write(context);
            await context.Response.BodyWriter.FlushAsync();
        }
        finally
        {
            context.Features.Set(response);
        }
        return new BufferedResult(body);
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        if (_body.Length == 0) return;
        httpContext.Response.ContentLength ??= _body.Length;
        await httpContext.Response.Body.WriteAsync(_body.GetBuffer().AsMemory(0, (int)_body.Length), httpContext.RequestAborted);
    }

    /// <summary>Writes it as the framework would.</summary>
    public static Task WriteAsync(HttpContext context, object result)
    {
        switch (result)
        {
            case IResult executable:
                return executable.ExecuteAsync(context);
            case string text:
                context.Response.ContentType ??= "text/plain; charset=utf-8";
                return context.Response.WriteAsync(text);
            default:
                var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
                return context.Response.WriteAsJsonAsync(result, (System.Text.Json.Serialization.Metadata.JsonTypeInfo<object>)json.GetTypeInfo(typeof(object)));
        }
    }
}
