using System.Globalization;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using PoolApi.Settings;

namespace PoolApi.Telemetry;

/// <summary>The log: one event a line, with the time in UTC, unless <c>Logging:Console</c> sets another form.</summary>
internal static class LogFormat
{
    private const string Section = "Logging:Console:";
    private const string Host = "Microsoft.Extensions.Hosting.Internal.Host";
    // Writes a line for each probe that finds the service not ready. Whether it is ready is logged when it changes.
    private const string HealthChecks = "Microsoft.Extensions.Diagnostics.HealthChecks";
    private const string Time = "yyyy-MM-ddTHH:mm:ss.fffZ";

    // A start that fails is explained once, without stack traces (StartFaults). After the start, these categories are logged as usual.
    private static readonly string[] QuietAtStart = [Host, "Microsoft.AspNetCore.Server.Kestrel"];

    /// <summary>Writes a line of the stop before there is a log, as the log does by default.</summary>
    public static void WriteEarly(string line) => Console.Out.WriteLine(
        $"{DateTimeOffset.UtcNow.ToString(Time, CultureInfo.InvariantCulture)} info: PoolApi.AspNetCore.Shutdown.ShutdownCoordinator[0] {line}");

    public static void AddLogFormat(this ILoggingBuilder logging, IConfiguration configuration)
    {
        // The framework has bound these options to the configuration already, so only what is not set there is set here.
        logging.AddConsole();
        logging.Services.RemoveAll<ILoggerProvider>();
        logging.Services.AddSingleton<ILoggerProvider, ConsoleLog>();
        // The format stays as it was checked at the start. If a change of the settings made it invalid, every call of the log would throw.
        logging.Services.RemoveAll<IOptionsChangeTokenSource<SimpleConsoleFormatterOptions>>();
        logging.Services.RemoveAll<IOptionsChangeTokenSource<JsonConsoleFormatterOptions>>();
        logging.Services.RemoveAll<IOptionsChangeTokenSource<ConsoleFormatterOptions>>();
        // FormatterName is read from the settings again, because the framework may set it after it has bound it.
        logging.Services.Configure<ConsoleLoggerOptions>(console =>
        {
            console.FormatterName = configuration[Section + "FormatterName"]?.ToLowerInvariant() ?? ConsoleFormatterNames.Simple;
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite; // Wait is refused
        });
        logging.Services.Configure<SimpleConsoleFormatterOptions>(simple =>
        {
            SetTime(simple, Time + " ");
            if (IsUnset("SingleLine")) simple.SingleLine = true;
        });
        logging.Services.Configure<JsonConsoleFormatterOptions>(json => SetTime(json, Time));
        logging.Services.Configure<ConsoleFormatterOptions>(systemd => SetTime(systemd, Time + " "));
        logging.Services.PostConfigure<LoggerFilterOptions>(AddQuietStart);

        void SetTime(ConsoleFormatterOptions options, string format)
        {
            if (IsUnset("UseUtcTimestamp")) options.UseUtcTimestamp = true;
            // The Z of the format means UTC. Local times have their offset in its place.
            if (IsUnset("TimestampFormat")) options.TimestampFormat = options.UseUtcTimestamp ? format : format.Replace("Z", "zzz", StringComparison.Ordinal);
        }

        bool IsUnset(string option) => configuration[$"{Section}FormatterOptions:{option}"] is null;
    }

    /// <summary>
    /// Suppresses the categories of <c>QuietAtStart</c> until the start is over, and then applies their configured levels. Unless a level
    /// is configured for the health checks, they log nothing.
    /// </summary>
    private static void AddQuietStart(LoggerFilterOptions options)
    {
        LoggerFilterRule[] configured = [.. options.Rules.Where(static rule => rule.Filter is null)];
        if (!Array.Exists(configured, static rule => rule.CategoryName?.StartsWith(HealthChecks, StringComparison.OrdinalIgnoreCase) == true))
            options.Rules.Add(new LoggerFilterRule(null, HealthChecks, LogLevel.None, null));
        foreach (string category in QuietAtStart)
        {
            // As the framework chooses: a rule for the provider first, then the longest category, then the last.
            LoggerFilterRule? rule = configured
                .Where(rule => rule.ProviderName is null or "Console" && (rule.CategoryName is null || category.StartsWith(rule.CategoryName, StringComparison.OrdinalIgnoreCase)))
                .OrderBy(static rule => rule.ProviderName is null ? 0 : 1).ThenBy(static rule => rule.CategoryName?.Length ?? 0).LastOrDefault();
            LogLevel level = rule?.LogLevel ?? options.MinLevel;
            options.Rules.Add(new LoggerFilterRule(rule?.ProviderName, category, level, static (_, _, _) => StartFaults.HasStarted));
        }
    }
}
