using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Listening;
using PoolApi.Management;
using PoolApi.Settings;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Settings;

/// <summary>Invalid settings stop the start. All faults are reported at once, each with the allowed values.</summary>
public class SettingsTests
{
    private static IConfiguration Configuration(params ReadOnlySpan<(string Key, string? Value)> settings)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (key, value) in settings) values[key] = value;
        return new ConfigurationBuilder().AddInMemoryCollection(values).Build();
    }

    private static List<string> Faults(params ReadOnlySpan<(string Key, string? Value)> settings) =>
        ServiceSettings.Read(Configuration(settings), new Production()).Faults;

    [Fact]
    public void Without_settings_there_is_no_fault_and_the_ports_are_8080_and_8081()
    {
        var faults = new List<string>();
        ServerUrls urls = ServerUrls.Read(Configuration(), faults);
        Assert.Empty(faults);
        Assert.Equal(["http://localhost:8080", "http://localhost:8081"], urls.All);
        Assert.Empty(Faults());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("sqlite")]
    [InlineData("none")]
    public void An_unused_connection_string_is_a_fault_that_does_not_contain_its_value(string? store)
    {
        string fault = Assert.Single(Faults(("Jobs:ConnectionString", "Host=db;Password=secret"), ("Jobs:Store", store)));
        Assert.Contains("Jobs:ConnectionString", fault, StringComparison.Ordinal);
        Assert.Contains("set Jobs:Store to postgres", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("sqlite")]
    [InlineData("none")]
    public void A_schema_that_nothing_uses_is_a_fault(string? store) =>
        Assert.StartsWith("Jobs:Schema is set, and Jobs:Store is ", Assert.Single(Faults(("Jobs:Schema", "shop"), ("Jobs:Store", store))), StringComparison.Ordinal);

    [Theory]
    [InlineData("Shop")]
    [InlineData("2nd")]
    [InlineData("a.b")]
    [InlineData("a\n")]
    [InlineData("pg_shop")]
    [InlineData("a_name_that_is_one_letter_longer_than_40_")]
    public void An_invalid_schema_name_is_a_fault(string name) =>
        Assert.StartsWith(
            $"Jobs:Schema is '{name}'; it must be 1 to 40 lower-case letters",
            Assert.Single(Faults(("Jobs:Schema", name), ("Jobs:Store", "postgres"), ("Jobs:ConnectionString", "Host=db"))), StringComparison.Ordinal);

    [Theory]
    [InlineData("http://localhost:5000", "http://localhost:5000", 1)]
    [InlineData("http://localhost:5000", "http://LOCALHOST:5000/", 1)]
    [InlineData("http://+:5000;http://127.0.0.1:5002", "http://+:5001", 3)]
    [InlineData("http://127.0.0.1:0", "http://[::1]:0", 2)]
    [InlineData("http://127.0.0.1", "http://127.0.0.1:81", 2)]
    public void The_list_of_all_addresses_contains_each_address_once(string api, string management, int count)
    {
        var faults = new List<string>();
        ServerUrls urls = ServerUrls.Read(Configuration(("Urls", api), ("Management:Urls", management)), faults);
        Assert.Empty(faults);
        Assert.Equal(count, urls.All.Count);
        Assert.All(urls.Api.Concat(urls.Management), url => Assert.Contains(url, urls.All));
    }

    [Fact]
    public void An_empty_address_counts_as_not_set()
    {
        var faults = new List<string>();
        Assert.Equal(["http://localhost:8080", "http://localhost:8081"], ServerUrls.Read(Configuration(("Urls", ""), ("Management:Urls", "")), faults).All);
        Assert.Equal(["http://*:5000"], ServerUrls.Read(Configuration(("Urls", ""), ("HTTP_PORTS", "5000")), faults).Api);
        Assert.Empty(faults);
    }

    [Fact]
    public async Task A_service_whose_settings_are_empty_starts_with_their_defaults()
    {
        await using var app = new ServiceApp();
        // ServiceApp.With omits empty settings.
        await using WebApplicationFactory<Program> empty = app.WithWebHostBuilder(static builder =>
        {
            foreach (string key in SettingCatalogue.All.Select(static setting => setting.Key).Where(static key => key is not ("Auth:ApiKeys" or "Jobs:Store")))
                builder.UseSetting(key, "");
            builder.UseSetting("Jobs:Store", "none");
        });

        Assert.Equal(new PoolOptions().Workers, empty.Services.GetRequiredService<IOptionsMonitor<PoolOptions>>().Get("cpu").Workers);
        Assert.Equal(TimeSpan.FromSeconds(15), empty.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.Drain);
    }

    [Theory]
    [InlineData(";")]
    [InlineData("localhost:8080")]
    [InlineData("8080")]
    [InlineData("ftp://localhost")]
    [InlineData("http://localhost:99999")]
    [InlineData("http://localhost:-1")]
    [InlineData("http://localhost:8080/base")]
    [InlineData("http://unix:/tmp/pool.sock")]
    [InlineData("http://localhost:8080;nonsense")]
    public void A_wrong_address_is_a_fault_with_key_and_value(string value)
    {
        foreach (string key in (string[])["Urls", "Management:Urls"])
        {
            Assert.Equal(
                $"{key} is '{value}'; it must be one or more addresses http://host:port{(key == "Urls" ? " or https://host:port" : "")}, separated by ';'.",
                Assert.Single(Faults((key, value))));
        }
    }

    [Fact]
    public void TLS_is_for_the_API_and_needs_a_certificate()
    {
        Assert.Equal(
            "Management:Urls is 'https://localhost:8081'; it must be one or more addresses http://host:port, separated by ';'.",
            Assert.Single(Faults(("Management:Urls", "https://localhost:8081"))));
        Assert.Equal(
            "Urls has an address https://…, and no certificate is set: Kestrel:Certificates:Default:Path names its file.",
            Assert.Single(Faults(("Urls", "https://localhost:8443"))));
    }

    [Theory]
    [InlineData("Urls:0")]
    [InlineData("Management:Urls:0")]
    public void A_list_in_place_of_addresses_is_a_fault_rather_than_overlooked(string key) =>
        Assert.Contains("is 'a list'", Assert.Single(Faults((key, "http://localhost:5000"))), StringComparison.Ordinal);

    [Fact]
    public void One_port_on_different_addresses_of_the_API_and_the_management_is_a_fault() =>
        Assert.Equal(
            "Management:Urls is 'http://127.0.0.1:5000' and Urls is 'http://10.0.0.1:5000'; they must be the same address, or have different ports.",
            Assert.Single(Faults(("Urls", "http://10.0.0.1:5000"), ("Management:Urls", "http://127.0.0.1:5000"))));

    [Theory]
    [InlineData("Management:Url", "Management:Url is not a setting; the settings under Management are: AllowedHosts, Urls. (Its value is 'x'.)")]
    [InlineData("Workloads:Diagnostic", "Workloads:Diagnostic is not a setting; the settings under Workloads are: Diagnostics. (Its value is 'x'.)")]
    [InlineData("Jobs:Paths", "Jobs:Paths is not a setting; the settings under Jobs are: ConnectionString, Lease, MaxAttempts, MaxPayloadBytes, MaxRedeliveries, MaxResultBytes, MemoryBytes, Path, Retention, RetryDelay, Schema, Share, Store.")] // the value of a mistyped ConnectionString is a secret
    [InlineData("Jobs:Share", "Jobs:Share is 'x'; it must be a number from 0 to 1, such as 0.02.")]
    [InlineData("Jobs:Retention", "Jobs:Retention is 'x'; it must be a time from 00:00:01 to 3650.00:00:00, written [d.]hh:mm:ss[.fff].")]
    [InlineData("Auth:ApiKey", "Auth:ApiKey is not a setting; the settings under Auth are: ApiKeys, KeysFile, MaxConcurrency.")] // its value may be a secret
    [InlineData("Auth:ApiKeys", "Auth:ApiKeys is a value; it must be a section, with a key under the name of each client.")]
    [InlineData("Auth:ApiKeys:a b", "Auth:ApiKeys has an invalid client name (not repeated here, because it may be a key); it must be 1 to 64 ASCII letters, digits, '-', '_' or '.'.")]
    [InlineData("Auth:ApiKeys:0", "Auth:ApiKeys:0 is not a valid key (the value is not repeated here); it must be a key of 16 to 256 visible ASCII characters, without blanks, or its hash as `PoolApi keys new` prints it.")]
    [InlineData("Auth:ApiKeys:a:b", "Auth:ApiKeys:a:b is not a setting; the settings under Auth:ApiKeys:a are: Hash, Key, MaxConcurrency, MaxPriority, Role.")]
    [InlineData("Auth:MaxConcurrency", "Auth:MaxConcurrency is 'x'; it must be a whole number from 1 to 1000000.")]
    [InlineData("Jobs:Store", "Jobs:Store is 'x'; it must be sqlite, postgres or none.")]
    [InlineData("Thumbnails:MaxScans", "Thumbnails:MaxScans is not a setting; the settings under Thumbnails are: MaxDecodeMegabytes, MaxDecodeTime. (Its value is 'x'.)")]
    [InlineData("Thumbnails:MaxDecodeTime", "Thumbnails:MaxDecodeTime is 'x'; it must be a time from 00:00:00.0100000 to 01:00:00, written [d.]hh:mm:ss[.fff].")]
    [InlineData("Thumbnails:MaxDecodeMegabytes", "Thumbnails:MaxDecodeMegabytes is 'x'; it must be a whole number from 16 to 65536.")]
    [InlineData("Workloads:Diagnostics", "Workloads:Diagnostics is 'x'; it must be true or false.")]
    [InlineData("Jobs:MemoryBytes", "Jobs:MemoryBytes is 'x'; it must be a whole number from 1 to 1099511627776; not set, it is a quarter of the memory that the runtime may use, at most 268435456.")]
    [InlineData("Cors:Origin", "Cors:Origin is not a setting; the settings under Cors are: Origins. (Its value is 'x'.)")]
    [InlineData("Cors:Origins", "Cors:Origins is 'x'; it must be origins separated by ';', each a scheme, a host and a port if it is not the usual one, such as https://app.example; or * for every origin.")]
    public void An_unknown_key_or_an_invalid_value_is_a_fault_that_names_what_is_allowed(string key, string fault) => Assert.Equal(fault, Assert.Single(Faults((key, "x"))));

    [Fact]
    public void A_MemoryBytes_setting_below_MaxPayloadBytes_is_a_fault_and_its_default_never_is()
    {
        string[] faults = [.. Faults(("Jobs:MaxPayloadBytes", "536870912"))];
        Assert.Empty(faults);
        Assert.Equal(
            "Jobs:MemoryBytes is 1000; it must not be less than Jobs:MaxPayloadBytes, 2000.",
            Assert.Single(Faults(("Jobs:MaxPayloadBytes", "2000"), ("Jobs:MemoryBytes", "1000"))));
    }

    [Theory]
    [InlineData(15, false)]
    [InlineData(16, true)]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void An_API_key_has_16_to_256_characters(int length, bool isKey) => Assert.Equal(isKey, Faults(("Auth:ApiKeys:a", new string('k', length))).Count == 0);

    [Fact]
    public void A_concurrency_limit_for_each_key_is_a_fault_without_keys() =>
        Assert.Equal(
            "Auth:MaxConcurrency is set without Auth:ApiKeys; it may be set only where there are keys to tell clients apart.",
            Assert.Single(Faults(("Auth:MaxConcurrency", "2"))));

    [Fact]
    public void A_malformed_connection_string_is_a_fault_that_does_not_contain_its_value()
    {
        string fault = Assert.Single(Faults(("Jobs:Store", "postgres"), ("Jobs:ConnectionString", "Hos=db;Password=secret")));
        Assert.StartsWith("Jobs:ConnectionString is not understood", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_clients_with_the_same_key_are_a_fault()
    {
        string fault = Assert.Single(Faults(("Auth:ApiKeys:a", "the-same-for-both"), ("Auth:ApiKeys:b", "the-same-for-both")));
        Assert.Equal("Auth:ApiKeys:b is the same key as Auth:ApiKeys:a; each client must have a key of its own.", fault);
    }

    [Theory]
    [InlineData("Kestrel:Endpoints:A:Url", "http://localhost:1", "Kestrel:Endpoints:A:Url is not used here: Urls and Management:Urls")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", "OTEL_EXPORTER_OTLP_ENDPOINT is 'not a url'; it must be an address")]
    [InlineData("Workloads", "5", "Workloads is '5'; it must be a section")]
    [InlineData("Auth", "secret", "Auth is a value; it must be a section")]
    public void A_setting_that_the_service_cannot_use_is_a_fault(string key, string value, string fault) =>
        Assert.StartsWith(fault, Assert.Single(Faults((key, value))), StringComparison.Ordinal);

    [Theory]
    [InlineData(78, "healthchek")]
    [InlineData(78, "serve", "--Pool:Workers", "4")]
    [InlineData(0, "--help")]
    [InlineData(null, "--Pool:Workers", "4")]
    [InlineData(null, "Pool:Workers=4")]
    [InlineData(null)]
    public async Task A_misspelt_command_does_not_start_a_server(int? exitCode, params string[] args) =>
        Assert.Equal(exitCode, await CommandLine.RunAsync(args));

    [Fact]
    public void The_appsettings_file_of_the_program_sets_no_addresses()
    {
        // An address in this file would override ASPNETCORE_URLS, which users set for any ASP.NET Core app.
        IConfiguration file = new ConfigurationBuilder().AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json")).Build();
        Assert.True(file.GetSection("Logging").Exists());
        Assert.Null(file["Urls"]);
        Assert.False(file.GetSection("Management").Exists());
    }

    [Fact]
    public void The_faults_of_all_rooms_are_reported_at_once()
    {
        using var other = new ServiceApp();
        Assert.NotNull(other.Server); // from here on a failed start throws instead of ending the program
        string said = StartFaults.Explain(ServiceApp.FailedStart(
            ("Pool:Workers", "-3"), ("Pool:QueueCapacity", "many"), ("Pool:Colour", "red"), ("Shutdown:Drain", "soon"), ("Shutdown:Speed", "1"),
            ("Management:Urls", "nowhere"), ("Jobs:Store", "postgres")));
        Assert.StartsWith("PoolApi cannot start, for 7 reasons:\n  ", said, StringComparison.Ordinal);
        foreach (string part in (string[])[
            "Pool:Workers is '-3'; it must be a whole number from 1 to 1024.", "Pool:QueueCapacity is 'many'; it must be a whole number from 1 to 16777216.",
            "Pool:Colour is not a setting;", "Shutdown:Drain is 'soon'; it must be a time from", "Shutdown:Speed is not a setting;",
            "Management:Urls is 'nowhere';", "Jobs:ConnectionString is missing; with Jobs:Store=postgres it must be a connection string with a host"])
        {
            Assert.Contains(part, said, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void One_fault_is_reported_in_one_line_and_several_as_a_list_without_duplicates()
    {
        Assert.Equal("PoolApi cannot start: it broke", StartFaults.Explain(new InvalidOperationException("it broke")));
        Assert.Equal("PoolApi cannot start: it broke", StartFaults.Explain(new InvalidOperationException("it broke"), []));
        // A part of the host, such as the log, fails on the setting before the host reports it.
        Assert.Equal("PoolApi cannot start: A is wrong", StartFaults.Explain(new InvalidOperationException("it broke"), ["A is wrong"]));
        Assert.Equal(
            "PoolApi cannot start, for 2 reasons:\n  A is wrong\n  B is wrong",
            StartFaults.Explain(new OptionsValidationException("o", typeof(object), ["A is wrong", "B is wrong"]), ["A is wrong"]));
        Assert.Equal(
            "PoolApi cannot start: Urls: 127.0.0.1:1 is already in use. Choose another port, or stop the program that has it.",
            StartFaults.Explain(ListenFault.Of(new(IPAddress.Loopback, 1), "Urls", new SocketException((int)SocketError.AddressAlreadyInUse))));
        Assert.Equal(
            "PoolApi cannot start, for 2 reasons:\n  six\n  four",
            StartFaults.Explain(new IOException("Failed to bind to address http://localhost:1.", new AggregateException(new IOException("six"), new IOException("four")))));
        Assert.Equal(
            "PoolApi cannot start, for 2 reasons:\n  a\n  b",
            StartFaults.Explain(new AggregateException(
                new OptionsValidationException("x", typeof(object), ["a", "b"]), new OptionsValidationException("y", typeof(object), ["a"]))));
    }

    private sealed class Production : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = "Production";

        public string ApplicationName { get; set; } = "PoolApi";

        public string ContentRootPath { get; set; } = "/";

        public Microsoft.Extensions.FileProviders.IFileProvider ContentRootFileProvider { get; set; } = new Microsoft.Extensions.FileProviders.NullFileProvider();
    }
}
