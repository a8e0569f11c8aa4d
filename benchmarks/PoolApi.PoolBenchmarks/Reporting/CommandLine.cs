using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>The common part of the benchmark programs' command lines: options with a value each, and help.</summary>
internal static class CommandLine
{
    /// <summary>The command line is wrong. (EX_USAGE of sysexits.h.)</summary>
    public const int UsageError = 64;

    /// <summary>Reads the settings. Prints an error if they are wrong, and the usage if help is asked for.</summary>
    /// <param name="read">Reads them; <see langword="null"/> if help is asked for.</param>
    /// <param name="usage">The usage.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="exitCode">The exit code of the program if there are no settings.</param>
    public static bool TryRead<T>(Func<T?> read, Func<string> usage, [NotNullWhen(true)] out T? settings, out int exitCode)
        where T : class
    {
        exitCode = 0;
        settings = null;
        try
        {
            settings = read();
            if (settings is null) Console.WriteLine(usage());
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine($"{e.Message} Try --help.");
            exitCode = UsageError;
        }
        return settings is not null;
    }

    /// <summary>Applies one option after another.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="settings">The defaults.</param>
    /// <param name="with">The settings with an option of this value; <see langword="null"/> if there is no such option.</param>
    /// <returns><see langword="null"/> if help is asked for.</returns>
    /// <exception cref="FormatException">An option is unknown, or its value is not one of its values.</exception>
    public static T? Read<T>(ReadOnlySpan<string> args, T settings, Func<T, string, string, T?> with)
        where T : class
    {
        for (int i = 0; i < args.Length; i++)
        {
            string option = args[i];
            if (option is "--help" or "-h") return null;
            string value = i + 1 < args.Length ? args[++i] : throw new FormatException($"{option} has no value.");
            settings = with(settings, option, value) ?? throw new FormatException($"There is no option {option}.");
        }
        return settings;
    }

    /// <summary>A number above zero.</summary>
    public static int Count(string option, string value) =>
        TryCount(value, out int count) && count > 0 ? count : throw new FormatException($"{option} takes a number above zero, not '{value}'.");

    /// <summary>A number that is at least the given one.</summary>
    public static int Count(string option, string value, int least) =>
        TryCount(value, out int count) && count >= least ? count : throw new FormatException($"{option} takes a number from {least}, not '{value}'.");

    /// <summary>One of these names.</summary>
    /// <param name="what">The kind of thing that has the names.</param>
    /// <param name="value">The value.</param>
    /// <param name="names">The names.</param>
    public static string Name(string what, string value, IEnumerable<string> names) =>
        names.Contains(value) ? value : throw new FormatException($"There is no {what} '{value}'.");

    private static bool TryCount(string value, out int count) => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out count);
}
