using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>A test reads each command and code block of the documentation from its page and runs it, or a rule gives the reason why none does.</summary>
public sealed partial class EveryCommandTests
{
    private const string AnyPage = "";

    private const string Engine = "needs a container engine: where there is one, .ci/container builds the image, starts it and stops it";
    private const string Cluster = "needs a cluster: KubernetesTests read what it would get";
    private const string Picture = "is a picture";
    private const string Once = "a test starts the same program from the build output, on a free port";

    private const string Documentation = "tests/PoolApi.EndToEnd/DocumentationTests.cs";
    private const string Clients = "tests/PoolApi.EndToEnd/Clients/ClientTests.cs";
    private const string ClientPage = "tests/PoolApi.EndToEnd/Clients/ClientPageTests.cs";
    private const string Samples = "tests/PoolApi.Packages.Tests/SampleTests.cs";
    private const string GettingStarted = "tests/PoolApi.Packages.Tests/GettingStartedTests.cs";
    private const string Template = "tests/PoolApi.Packages.Tests/TemplateTests.cs";
    private const string ReleasePage = "tests/PoolApi.Packages.Tests/ReleasePageTests.cs";

    /// <summary>The first rule that matches a command applies.</summary>
    private static readonly Rule[] Rules =
    [
        // A reader's first steps.
        Run("README.md", "dotnet run ", Documentation, "The_service_starts_and_stops_as_the_pages_say"),
        Run("docs/stopping.md", "dotnet run |Shutdown: ", Documentation, "The_service_starts_and_stops_as_the_pages_say"),
        Run("docs/operations.md", "dotnet run ", Documentation, "The_service_starts_and_stops_as_the_pages_say"),
        Run("README.md", "curl |HTTP/1\\.1 ", Documentation, "Every_curl_of_a_page_answers_as_the_page_says"),
        Run("deploy/README.md", "curl ", Documentation, "Every_curl_of_a_page_answers_as_the_page_says"),
        Run("docs/", "curl .*localhost:808", Documentation, "Every_curl_of_a_page_answers_as_the_page_says"),
        Run("docs/", "PoolApi ", Documentation, "The_help_lists_every_program_command_of_the_pages"),
        Left("docs/settings.md", "dotnet run$", "is a mention: README.md has the command"),

        // Writing an app.
        Run(
            "docs/getting-started.md", "```csharp|dotnet new web|curl |for i in ",
            GettingStarted, "The_app_of_the_page_builds_and_its_responses_match_the_page"),
        Run("docs/getting-started.md", "dotnet nuget add source ", GettingStarted, "The_command_of_the_page_adds_the_package_folder_as_a_NuGet_source"),
        Left(
            "docs/getting-started.md", "dotnet pack ",
            "packs the whole solution: the fixture of the packages' tests packs the same projects, as they have been built"),
        Left("docs/getting-started.md", "dotnet run ", Once),
        Left("docs/getting-started.md", "dotnet new poolapi-service$", "is a mention: the README of the templates has the command"),
        Run("docs/clients.md", "```csharp|```ts", ClientPage, "Each_line_of_the_page_stands_in_the_program_that_uses_the_client"),
        Run("docs/clients.md", "dotnet kiota ", Clients, "A_client_made_by_Kiota_works"),
        Run("docs/clients.md", "dotnet nswag ", Clients, "A_client_made_by_NSwag_works"),
        Run("docs/clients.md", "npx openapi-typescript ", Clients, "A_client_with_types_made_by_openapi_typescript_works"),
        Run("docs/clients.md", "redocly lint", Clients, "The_document_has_no_fault_with_keys_and_without"),
        Run("docs/testing.md", "```csharp", "tests/PoolApi.Deploy.Tests/TestingPageTests.cs", "The_example_of_the_page_is_rejected_by_a_full_queue"),
        Run(
            "src/PoolApi.Aspire.Hosting/", "```csharp",
            "tests/PoolApi.Deploy.Tests/AspireTests.cs", "The_README_s_app_host_gives_a_project_the_addresses_of_the_service"),
        Run("src/PoolApi.Jobs.AspNetCore/", "curl ", Samples, "Jobs_serves_jobs_and_their_routes_with_at_most_ten_lines_of_code"),
        Run(
            AnyPage, "```csharp",
            Samples, "Every_snippet_of_the_documentation_compiles_with_the_packages", "tests/PoolApi.Packages.Tests/Support/Snippets.cs"),
        Run("docs/", "```json", Documentation, "Every_block_of_JSON_is_JSON"),
        Run("samples/README.md", "(dotnet run --project samples/Endpoint|curl localhost:5000/primes)", Samples, "Endpoint_runs_its_handler_on_the_pool"),
        Run("samples/README.md", "curl localhost:5000/books", Samples, "Controllers_run_their_actions_on_the_pool"),
        Run("samples/README.md", "curl localhost:5000/shop", Samples, "Legacy_runs_its_whole_pipeline_on_the_pool"),
        Run("samples/README.md", "curl localhost:5000/v1/workers", Samples, "TwoPools_keeps_waiting_work_off_the_threads_that_compute"),
        Run("samples/README.md", "curl .* localhost:5000/reports", Samples, "Jobs_serves_jobs_and_their_routes_with_at_most_ten_lines_of_code"),
        Run(
            "samples/README.md", "(dotnet run --project samples/Callback|curl .*callback=)",
            Samples, "Callback_calls_the_client_when_a_job_ends_and_repeats_a_call_that_fails"),
        Run(
            "samples/README.md", "(dotnet run --project samples/Complete|curl -c jar -d name=|curl -b jar -i )",
            Samples, "Complete_has_user_jobs_an_app_job_and_the_dashboard"),
        Run("samples/README.md", "(dotnet run --project samples/Dashboard|curl -[bc] jar )", Samples, "Dashboard_is_open_only_to_users_who_have_signed_in"),
        Run("samples/README.md", "dotnet publish -c Release samples/NativeAot", Samples, "NativeAot_is_one_program_without_the_runtime"),
        Run(
            "samples/README.md", "(dotnet run --project samples/AppHost|curl localhost:5005)",
            Samples, "AppHost_starts_the_service_before_its_client_and_stops_it"),
        Left("samples/README.md", "dotnet publish -c Release src/PoolApi ", Once),
        Run("templates/PoolApi.Templates/README.md", "dotnet new ", Template, "A_service_made_from_the_template_builds_passes_its_tests_answers_and_stops"),
        Run("templates/PoolApi.Templates/content/", "dotnet test|curl ", Template, "A_service_made_from_the_template_builds_passes_its_tests_answers_and_stops"),
        Left("templates/PoolApi.Templates/content/", "dotnet run ", Once),

        // Running the service.
        Run("deploy/README.md", "docker run --rm poolapi:local keys new ", Documentation, "The_key_of_the_page_lets_an_operator_drain_the_service"),
        Run("docs/security.md", "Urls=", Documentation, "The_API_speaks_TLS_with_the_settings_of_the_page"),
        Left("docs/security.md", "dotnet publish ", "builds the native program again, which takes minutes"),
        Run("docs/operations.md", "sqlite3 ", Documentation, "A_backup_of_the_jobs_is_made_and_restored_as_the_page_says"),
        Run("docs/operations.md", "pg_dump |psql |pg_restore ", Documentation, "A_backup_of_PostgreSQL_is_made_and_restored_as_the_page_says"),
        Script("deploy/README.md", "promtool test rules ", ".ci/run", "promtool test rules deploy/prometheus/tests/*.yml"),
        Run(
            "deploy/kubernetes/README.md", "kubectl create secret ",
            "tests/PoolApi.Deploy.Tests/KubernetesTests.cs", "The_secrets_that_the_page_creates_match_the_references_in_the_pods_and_the_page"),
        Left(AnyPage, "kubectl ", Cluster),
        Left(AnyPage, "docker ", Engine),
        Left("deploy/README.md", "(apt-get install|dotnet publish) ", "needs the cross tools for arm64"),

        // Working on this repository.
        Run(
            "CONTRIBUTING.md", "tests/PoolApi.Threading.Tests/",
            "tests/PoolApi.Deploy.Tests/ContributingTests.cs", "The_inner_loop_runs_the_tests_that_it_names"),
        Run(
            "CONTRIBUTING.md", "dotnet test --solution ",
            "tests/PoolApi.Deploy.Tests/ContributingTests.cs", "The_unit_test_command_has_the_right_project_count_and_excludes_an_existing_trait"),
        Script(AnyPage, "dotnet test -c Release$", ".ci/run", "dotnet test -c Release"),
        Script("CONTRIBUTING.md", "dotnet tool restore", ".ci/run", "dotnet tool restore"),
        Script("CONTRIBUTING.md", "npm ci", ".ci/run", "npm ci"),
        Script("CONTRIBUTING.md", "dotnet build -c Release -p:", ".ci/run", "-c Release -warnaserror -p:RunAnalyzersDuringBuild=true"),
        Script("CONTRIBUTING.md", "dotnet format whitespace ", ".ci/run", "dotnet format whitespace"),
        Left("CONTRIBUTING.md", "dotnet build -c Release tests/", Once),
        Left("CONTRIBUTING.md", "dotnet restore ", "writes the lock files of the repository"),
        Left(AnyPage, "CI=true bash \\.ci/run", "is the whole check, which runs these tests"),
        Run("docs/releasing.md", "version=|for list in ", ReleasePage, "The_commands_set_the_version_everywhere_and_ship_the_public_API"),
        Left("docs/releasing.md", "(CI=true dotnet pack|dotnet nuget push) ", "needs a package source that accepts the packages"),
        Left("benchmarks/README.md", "(dotnet run|dotnet publish)( |$)", "takes minutes on a machine that is otherwise idle"),
        Left("benchmarks/README.md", "perf stat", "is a mention: the page has what it counted"),
        Run("docs/architecture.md", "```mermaid", "tests/PoolApi.Deploy.Tests/ArchitecturePageTests.cs", "The_diagram_shows_the_references_between_the_projects"),
        Left("docs/jobs.md", "┌", Picture),
        Left("src/PoolApi.Threading/Core/Queue/README.md", "submitters", Picture),
    ];

    // CHANGELOG.md reports changes. It has no commands to run.
    private static readonly Command[] All =
    [
        .. LinkTests.Pages(Repository.Root).Select(static page => Path.GetRelativePath(Repository.Root, page))
            .Where(static page => page != "CHANGELOG.md").Order(StringComparer.Ordinal)
            .SelectMany(static page => Commands(File.ReadAllText(Path.Combine(Repository.Root, page))).Select(text => new Command(page, text))),
    ];

    [Fact]
    public void Every_command_and_code_block_has_a_rule_that_runs_it_or_gives_a_reason()
    {
        Assert.True(All.Length > 100, $"{All.Length} commands were found");
        Assert.DoesNotContain(All, static command => RuleOf(command) is null);
    }

    [Fact]
    public void Every_rule_has_its_command() => Assert.Empty(Rules.Except(All.Select(RuleOf)));

    [Fact]
    public void Every_test_that_a_rule_names_exists_and_reads_the_page_of_its_command()
    {
        foreach (Rule rule in Rules.Where(static rule => rule.Test is not null))
        {
            Assert.Contains($" {rule.Test}(", Read(rule.File!), StringComparison.Ordinal);
            string reader = Read(rule.Reader!);
            foreach (string page in All.Where(command => RuleOf(command) == rule).Select(static command => command.Page))
            {
                bool reads = reader.Contains($"{Path.GetFileName(page)}\"", StringComparison.Ordinal) || reader.Contains("\"*.md\"", StringComparison.Ordinal);
                Assert.True(reads, $"{rule.Reader} does not read {page}");
            }
        }
        Assert.All(Rules.Where(static rule => rule.Words is not null), static rule => Assert.Contains(rule.Words!, Read(rule.File!), StringComparison.Ordinal));
    }

    /// <summary>Also for commands that no test runs.</summary>
    [Fact]
    public void Every_repository_path_that_a_command_names_exists()
    {
        (string Page, string Path)[] all = [.. All.Where(static command => !command.Page.StartsWith("templates/", StringComparison.Ordinal))
            .SelectMany(static command => Folder().Matches(command.Text).Select(match => (command.Page, Path: match.Value)))];
        Assert.NotEmpty(all);
        Assert.All(all, static named => Assert.True(Path.Exists(Path.Combine(Repository.Root, named.Path)), $"{named.Page}: {named.Path}"));
    }

    [Theory]
    [InlineData("Run `dotnet test`, or `PoolApi check`; `PoolApi.Jobs` is a name, `curl` too.", "dotnet test", "PoolApi check")]
    [InlineData("```\ncurl -i a\n\nCI=true bash b\n```\n", "curl -i a", "CI=true bash b")]
    [InlineData("1. Do:\n   ```\n   v=1\n   dotnet test\n   ```\nand `docker ps -a`", "v=1", "docker ps -a")]
    [InlineData("```csharp\n`dotnet test`\n```\n```sh\nnpm ci   # slow\n```\n", "```csharp", "npm ci   # slow")]
    public void Commands_are_read_from_shell_blocks_and_backticks_and_other_blocks_count_by_their_first_line(string page, params string[] commands) =>
        Assert.Equal(commands, Commands(page));

    private static Rule? RuleOf(Command command) =>
        Array.Find(Rules, rule => command.Page.StartsWith(rule.Page, StringComparison.Ordinal) && Regex.IsMatch(command.Text, $"^(?:{rule.Commands})"));

    private static IEnumerable<string> Commands(string page)
    {
        foreach (Match block in Block().Matches(page))
        {
            string language = block.Groups[2].Value;
            string[] lines = block.Groups[3].Value.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            if (language is not ("" or "sh")) yield return $"```{language}";
            else foreach (string line in lines.All(static line => Start().IsMatch(line)) ? lines : lines[..1]) yield return line;
        }
        foreach (Match code in Code().Matches(Block().Replace(page, "")))
            if (Start().IsMatch(code.Groups[1].Value)) yield return code.Groups[1].Value;
    }

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    /// <summary>A test runs these commands of these pages.</summary>
    private static Rule Run(string page, string commands, string file, string test, string? reader = null) =>
        new(page, commands, file, test, reader ?? file, null, null);

    /// <summary>A script runs them. These words are the command in the script.</summary>
    private static Rule Script(string page, string commands, string file, string words) => new(page, commands, file, null, null, words, null);

    /// <summary>Nothing runs them.</summary>
    private static Rule Left(string page, string commands, string why) => new(page, commands, null, null, null, null, why);

    /// <summary>Which test or script runs commands of the documentation, or why none does.</summary>
    /// <param name="Page">How the paths of the pages begin.</param>
    /// <param name="Commands">How the commands begin: a regular expression.</param>
    /// <param name="File">The file of the test, or the script.</param>
    /// <param name="Test">The test.</param>
    /// <param name="Reader">The file that reads the page.</param>
    /// <param name="Words">The command in the script.</param>
    /// <param name="Why">Why nothing runs them.</param>
    private sealed record Rule(string Page, string Commands, string? File, string? Test, string? Reader, string? Words, string? Why);

    private sealed record Command(string Page, string Text);

    [GeneratedRegex(@"^( *)```(\w*)\n(.*?)^\1```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(
        @"^(?:[A-Z_]+=\S+ )?(?:dotnet|docker|kubectl|curl|PoolApi|promtool|redocly|npx|npm|sqlite3|pg_dump|pg_restore|psql|apt-get|bash|perf|tests/\S+) \S")]
    private static partial Regex Start();

    [GeneratedRegex(@"(?<= )(?:src|tests|samples|benchmarks|deploy)/[\w./-]*\w")]
    private static partial Regex Folder();
}
