using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc.Testing;
using PoolApi.Telemetry;

namespace PoolApi.Tests.Service;

/// <summary>The service in this process, with diagnostics, on a test server or on real ports.</summary>
public sealed class ServiceApp : WebApplicationFactory<Program>
{
    private readonly Dictionary<string, string> _settings = new()
    {
        ["Workloads:Diagnostics"] = "true",
        ["Pool:Workers"] = "2",
        ["Logging:LogLevel:Default"] = "Trace",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Trace",
    };
    private readonly string _environment;
    private readonly CapturingLog _log = new();

    public ServiceApp()
        : this("Production")
    {
    }

    private ServiceApp(string environment) => _environment = environment;

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public IReadOnlyCollection<string> Log => _log.Texts;

    public IReadOnlyList<(LogLevel Level, string Text)> Lines => _log.Lines;

    public static ServiceApp With(params ReadOnlySpan<(string Key, string Value)> settings) => In("Production", settings);

    public static ServiceApp In(string environment, params ReadOnlySpan<(string Key, string Value)> settings)
    {
        var app = new ServiceApp(environment);
        foreach (var (key, value) in settings)
        {
            if (value.Length == 0) app._settings.Remove(key);
            // The system may assign one port number to two addresses, and the service distinguishes its ports by their numbers.
            else app._settings[key] = value == "http://127.0.0.2:0" ? $"http://127.0.0.2:{FreePorts.Next()}" : value;
        }
        return app;
    }

    /// <summary>The exception of a failed start.</summary>
    /// <remarks>
    /// The factory waits for the start through the host's services. If the program disposes of them first, the factory throws
    /// <see cref="ObjectDisposedException"/> instead. Then the start is tried again.
    /// </remarks>
    public static Exception FailedStart(params ReadOnlySpan<(string Key, string Value)> settings)
    {
        for (int tries = 1; ; tries++)
        {
            using ServiceApp app = With(settings);
            Exception fault = Assert.ThrowsAny<Exception>(() => app.Server);
            if (fault is not ObjectDisposedException || tries == 20) return fault;
        }
    }

    public static async Task<JsonNode> AssertProblem(HttpResponseMessage response, int status, string name, string? field = null, string? says = null)
    {
        string text = await response.Content.ReadAsStringAsync(Token);
        Assert.True((HttpStatusCode)status == response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonNode problem = JsonNode.Parse(text)!;
        Assert.Equal("urn:poolapi:problem:" + name, (string?)problem["type"]);
        Assert.Equal(status, (int?)problem["status"]);
        foreach (string part in (string[])["title", "detail", "traceId"]) Assert.NotEmpty((string?)problem[part] ?? "");
        if (field is not null)
        {
            string fault = (string)problem["errors"]![field]!.AsArray().Single()!;
            if (says is not null) Assert.Contains(says, fault, StringComparison.Ordinal);
        }
        return problem;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(_environment);
        // By default the factory uses the folder of the sources.
        builder.UseContentRoot(AppContext.BaseDirectory);
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureLogging(logging =>
        {
            // The provider that exports the log by OTLP stays.
            foreach (ServiceDescriptor console in logging.Services.Where(static s => s.ImplementationType == typeof(ConsoleLog)).ToArray()) logging.Services.Remove(console);
            logging.SetMinimumLevel(LogLevel.Trace).AddFilter(null, LogLevel.Trace).AddProvider(_log);
        });
    }
}
