using Microsoft.Extensions.Options;

namespace PoolApi;

/// <summary>The command <c>check</c>: validates the settings as a start would, without opening a port or a store, and prints the result.</summary>
internal static class SettingsCheck
{
    /// <returns>0. A fault is thrown, as at a start, and ends in exit code 78.</returns>
    public static int Run(WebApplication app)
    {
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        Console.Out.WriteLine("The settings are valid.");
        return 0;
    }
}
