using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using PoolApi.Tests.Service;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each used setting of the log: in a line of the running service's formatter, or in the options of its console.</summary>
internal static class LogEffects
{
    private const string Console = "Logging:Console:";
    private const string Options = Console + "FormatterOptions:";

    public static readonly Dictionary<string, Effect> All = new()
    {
        ["Logging:LogLevel:{category}"] = () => With(
            static app =>
            {
                ILogger log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("PoolApi.Some.Thing");
                Assert.True(log.IsEnabled(LogLevel.Error));
                Assert.False(log.IsEnabled(LogLevel.Warning));
            },
            ("Logging:LogLevel:PoolApi.Some", "Error")),
        ["Logging:Console:LogLevel:{category}"] = () => With(
            static app => Assert.Contains(
                app.Services.GetRequiredService<IOptions<LoggerFilterOptions>>().Value.Rules,
                static rule => rule is { ProviderName: "Console", CategoryName: "PoolApi.Some", LogLevel: LogLevel.Error }),
            (Console + "LogLevel:PoolApi.Some", "Error")),
        [Console + "FormatterName"] = () => Line(static line => Assert.StartsWith("{", line, StringComparison.Ordinal), (Console + "FormatterName", "json")),
        [Options + "TimestampFormat"] = () => Line(static line => Assert.StartsWith("at 20", line, StringComparison.Ordinal), (Options + "TimestampFormat", "'at 'yyyy ")),
        [Options + "UseUtcTimestamp"] = () => Line(static line => Assert.Matches(@"^[-0-9]{10}T[:.0-9]{12}[+-]\d\d:\d\d ", line), (Options + "UseUtcTimestamp", "false")),
        [Options + "IncludeScopes"] = () => Line(static line => Assert.Contains("a-scope", line, StringComparison.Ordinal), (Options + "IncludeScopes", "true")),
        [Options + "SingleLine"] = () => Line(static line => Assert.Contains("\n", line.TrimEnd(), StringComparison.Ordinal), (Options + "SingleLine", "false")),
        [Options + "ColorBehavior"] = () => Line(static line => Assert.Contains("\u001b[", line, StringComparison.Ordinal), (Options + "ColorBehavior", "Enabled")),
        [Options + "JsonWriterOptions:Indented"] = () => Line(
            static line => Assert.Contains("\n", line.TrimEnd(), StringComparison.Ordinal), (Console + "FormatterName", "json"), (Options + "JsonWriterOptions:Indented", "true")),
        [Console + "LogToStandardErrorThreshold"] = () => Goes(static console => console.LogToStandardErrorThreshold == LogLevel.Error, "LogToStandardErrorThreshold", "Error"),
        [Console + "MaxQueueLength"] = () => Goes(static console => console.MaxQueueLength == 7, "MaxQueueLength", "7"),
        [Console + "QueueFullMode"] = () => Goes(
            static console => console.QueueFullMode == ConsoleLoggerQueueFullMode.DropWrite, "QueueFullMode", "DropWrite"),
    };

    /// <summary>A line, as the formatter of the running service writes it.</summary>
    public static string Write(ServiceApp app)
    {
        string name = app.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName!;
        ConsoleFormatter formatter = app.Services.GetServices<ConsoleFormatter>().Single(one => one.Name == name);
        var scopes = new LoggerExternalScopeProvider();
        using IDisposable scope = scopes.Push("a-scope");
        var entry = new LogEntry<string>(LogLevel.Information, "PoolApi", new EventId(1), "a message", null, static (message, _) => message);
        using var writer = new StringWriter();
        formatter.Write(entry, scopes, writer);
        return writer.ToString();
    }

    private static async Task With(Action<ServiceApp> check, params (string, string)[] settings)
    {
        await using ServiceApp app = ServiceApp.With(settings);
        Assert.NotNull(app.Server);
        check(app);
    }

    private static Task Line(Action<string> check, params (string, string)[] settings) => With(app => check(Write(app)), settings);

    private static Task Goes(Func<ConsoleLoggerOptions, bool> isSet, string name, string value) => With(
        app => Assert.True(isSet(app.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value)), (Console + name, value));
}
