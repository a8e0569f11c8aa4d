using static PoolApi.Settings.FrameworkSetting;

namespace PoolApi.Settings;

/// <summary>Settings of the log, which goes to the console.</summary>
internal static class LoggingSettings
{
    private const string ConsoleOnly = "the log goes to the console, that is to standard output, only";
    private const string UnderOptions = "formatters have their options under Logging:Console:FormatterOptions";

    private static readonly ValueRule Level = ValueRule.OneOf([.. Enum.GetNames<LogLevel>()]);

    public static IReadOnlyList<FrameworkSetting> All { get; } =
    [
        Used("Logging:LogLevel:{category}", "Default is Information, Microsoft.AspNetCore is Warning", Level, "the least level that a category logs; of several prefixes the longest counts"),
        Used("Logging:Console:LogLevel:{category}", "as Logging:LogLevel", Level, "the same, before Logging:LogLevel"),
        Used("Logging:Console:FormatterName", "simple", ValueRule.OneOf("simple", "json", "systemd"), "the form of a line"),
        Used("Logging:Console:FormatterOptions:TimestampFormat", "yyyy-MM-ddTHH:mm:ss.fffZ", new("a format of .NET for a date and a time", IsTimestampFormat), "the time at the start of a line; with `simple`, end it with a blank"),
        Used("Logging:Console:FormatterOptions:UseUtcTimestamp", "true", ValueRule.Boolean, "UTC, or the local time"),
        Used("Logging:Console:FormatterOptions:IncludeScopes", "false", ValueRule.Boolean, "each line has the request's scopes, such as its trace id"),
        Used("Logging:Console:FormatterOptions:SingleLine", "true", ValueRule.Boolean, "`simple`: each event is one line"),
        Used("Logging:Console:FormatterOptions:ColorBehavior", "Default", ValueRule.OneOf("Default", "Enabled", "Disabled"), "`simple`: colours on a terminal, always, or never"),
        Used("Logging:Console:FormatterOptions:JsonWriterOptions:Indented", "false", ValueRule.Boolean, "`json`: more than one line for each event"),
        Used("Logging:Console:LogToStandardErrorThreshold", "None", Level, "events of this level and above go to standard error"),
        Used("Logging:Console:MaxQueueLength", "2500", ValueRule.WholeNumber(1, 1_000_000), "lines that wait for a slow reader of the log"),
        Used("Logging:Console:QueueFullMode", "DropWrite", ValueRule.OneOf("DropWrite"), "more lines are dropped and counted (`poolapi_log_dropped_total`, and a line when they are read again). `Wait` is refused: a reader that stops reading would stop every request that logs, and the stop"),
        Refused("Logging:Console:FormatterOptions:JsonWriterOptions:Encoder", "the text of a file cannot name an encoder"),
        Refused("Logging:Console:FormatterOptions:JsonWriterOptions:SkipValidation", "it changes nothing that a reader sees"),
        Refused("Logging:Console:FormatterOptions:JsonWriterOptions:MaxDepth", "it changes nothing that a reader sees"),
        Refused("Logging:Console:Format", "Logging:Console:FormatterName sets the form"),
        Refused("Logging:Console:DisableColors", UnderOptions),
        Refused("Logging:Console:IncludeScopes", UnderOptions),
        Refused("Logging:Console:TimestampFormat", UnderOptions),
        Refused("Logging:Console:UseUtcTimestamp", UnderOptions),
        Refused("Logging:Debug", ConsoleOnly),
        Refused("Logging:EventSource", ConsoleOnly),
        Refused("Logging:EventLog", ConsoleOnly),
    ];

    private static bool IsTimestampFormat(string format)
    {
        try
        {
            return DateTimeOffset.UnixEpoch.ToString(format, System.Globalization.CultureInfo.InvariantCulture).Length > 0;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
