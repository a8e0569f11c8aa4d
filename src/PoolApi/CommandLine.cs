using System.Reflection;
using PoolApi.Auth;
using PoolApi.Management;
using PoolApi.Requests;
using PoolApi.Settings;

namespace PoolApi;

/// <summary>Parses the command line: the program serves, unless the first word is another command.</summary>
internal static class CommandLine
{
    private const string Usage = """
        PoolApi                       serve; settings as --Key value, or by environment or appsettings.json
        PoolApi check                 validate the settings as a start would, and exit: exit code 0 or 78
        PoolApi keys new CLIENT       make a key for a client: the key is shown once, with the hash to store
        PoolApi healthcheck           ask the service on this machine whether it is ready: exit code 0 or 1
        PoolApi --version             the version, and the commit if it is known
        PoolApi --help                this, and every setting

        """;

    private const string CheckName = "check";
    private static readonly string[] Commands = [CheckName, HealthcheckCommand.Name, ApiKeyCommand.Name, "help", "version"];

    /// <summary>Whether the program is to validate its settings and exit.</summary>
    public static bool Checks(string[] args) => args is [CheckName, ..];

    /// <summary>The arguments that are settings.</summary>
    public static string[] Settings(string[] args) => Checks(args) ? args[1..] : args;

    /// <summary>Whether the program is to serve. Decided before anything else, without reading the settings.</summary>
    public static bool Serves(string[] args) =>
        args is [] || (!IsHelp(args[0]) && !IsVersion(args[0]) && (args[0] is ['-' or '/', ..] || args[0].Contains('=', StringComparison.Ordinal)));

    /// <summary>Runs a command other than serving.</summary>
    /// <returns>The exit code; <see langword="null"/> if the program is to serve.</returns>
    public static async Task<int?> RunAsync(string[] args)
    {
        switch (args)
        {
            case [var word, ..] when IsHelp(word):
            case [HealthcheckCommand.Name or CheckName or ApiKeyCommand.Name, var topic, ..] when IsHelp(topic):
                await Console.Out.WriteAsync($"{Usage}\n{SettingHelp.Text()}");
                return 0;
            case [var word, ..] when IsVersion(word):
                await Console.Out.WriteLineAsync(Version);
                return 0;
            case [HealthcheckCommand.Name, .. var rest]:
                return await WriteFaultsAsync(ArgumentFaults(rest)) ? 1 : await HealthcheckCommand.RunAsync(rest);
            case [ApiKeyCommand.Name, .. var rest]:
                return await ApiKeyCommand.RunAsync(rest);
            case [CheckName, .. var rest]:
                return await WriteFaultsAsync(ArgumentFaults(rest)) ? StartFaults.ExitCode : null;
            // A misspelt command must not start a server.
            case [var word, ..] when !Serves(args):
                string meant = NearestName.Of(word, Commands) is { } command ? $" Did you mean '{command}'?" : "";
                await Console.Error.WriteAsync($"There is no command '{word}'.{meant}\n{Usage}");
                return StartFaults.ExitCode;
            default:
                return await WriteFaultsAsync(ArgumentFaults(args)) ? StartFaults.ExitCode : null;
        }
    }

    /// <summary>What is wrong with arguments that are to be settings: --Key value, --Key=value, Key=value, and the same with a slash.</summary>
    /// <remarks>
    /// The framework takes the argument after a switch as its value, even if that is the next switch. It ignores a last switch without a value.
    /// </remarks>
    internal static List<string> ArgumentFaults(string[] args)
    {
        var faults = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            string arg = args[i];
            string text = arg.StartsWith("--", StringComparison.Ordinal) ? arg[2..] : arg is ['/', ..] ? arg[1..] : arg;
            bool isSwitch = text.Length < arg.Length;
            bool hasValue = text.Contains('=', StringComparison.Ordinal);
            string key = text.Split('=', 2)[0];
            if (arg is ['-', not '-', ..])
                faults.Add($"{arg} is not a setting; one begins with two dashes, --Key value.");
            else if (!isSwitch && !hasValue)
                faults.Add($"'{arg}' is neither a setting nor the value of one; a setting is written --Key value.");
            else if (!SettingNames.IsKnown(key))
                faults.Add($"{arg.Split('=', 2)[0]} is not a setting.{(SettingNames.Nearest(key) is { } near ? $" Did you mean --{near}?" : "")}");
            else if (isSwitch && !hasValue && (i + 1 == args.Length || args[i + 1].StartsWith("--", StringComparison.Ordinal)))
                faults.Add($"{arg} has no value; it is written {arg} value.");
            // Skips the value of this switch, also if the switch is unknown.
            if (!hasValue && i + 1 < args.Length && arg is ['-' or '/', ..] && !args[i + 1].StartsWith("--", StringComparison.Ordinal)) i++;
        }
        return faults;
    }

    private static bool IsHelp(string word) => word.ToLowerInvariant() is "help" or "--help" or "-h" or "-?" or "/?" or "/h";

    private static bool IsVersion(string word) => word.ToLowerInvariant() is "version" or "--version" or "-v";

    /// <summary>0.1.0+COMMIT, as the build knows it.</summary>
    private static string Version
    {
        get
        {
            string version = typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
            return version.Split('+', 2) is [var number, var commit] ? $"PoolApi {number}, commit {commit}" : $"PoolApi {version}";
        }
    }

    private static async Task<bool> WriteFaultsAsync(List<string> faults)
    {
        if (faults.Count > 0) await Console.Error.WriteLineAsync(StartFaults.Explain(faults));
        return faults.Count > 0;
    }
}
