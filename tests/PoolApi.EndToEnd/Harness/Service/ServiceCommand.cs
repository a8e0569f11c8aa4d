using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>Creates commands that start the service in one of its forms, in an environment without the tester's own settings.</summary>
internal static class ServiceCommand
{
    private static readonly string[] SettingPrefixes =
    [
        "ASPNETCORE_", "DOTNET_ENVIRONMENT", "DOTNET_URLS", "URLS", "POOL__", "SHUTDOWN__", "MANAGEMENT__", "WORKLOADS__", "JOBS__",
        "AUTH__", "CORS__", "LOGGING__", "KESTREL__", "OTEL_", "PATHBASE", "FORWARDEDHEADERS__",
    ];

    /// <summary>The command that starts the service. A setting is written as on a command line: "--Pool:Workers 2".</summary>
    public static async Task<ProcessStartInfo> CreateAsync(
        ServiceForm form, string workingDirectory, IEnumerable<string> settings, IReadOnlyDictionary<string, string>? environment = null,
        params string[] wrapper)
    {
        var start = form == ServiceForm.NativeAot
            ? new ProcessStartInfo(await AotPublication.BinaryAsync())
            : new ProcessStartInfo(Repository.DotNet, ["exec", Repository.ServiceAssembly]);
        if (wrapper is [var first, .. var rest])
        {
            foreach (string part in rest.Append(start.FileName).Reverse())
                start.ArgumentList.Insert(0, part);
            start.FileName = first;
        }
        // Not the program's folder, because the service must find its files beside the program and not in the working directory.
        start.WorkingDirectory = workingDirectory;
        foreach (string setting in settings)
        {
            foreach (string part in setting.Split(' ', 2))
                start.ArgumentList.Add(part);
        }

        foreach (string name in start.Environment.Keys.Where(IsSetting).ToArray())
            start.Environment.Remove(name);
        // The service lives for seconds: profile-guided compilation costs a fifth more processor time, and gains nothing.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return start;
    }

    private static bool IsSetting(string name) =>
        Array.Exists(SettingPrefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
