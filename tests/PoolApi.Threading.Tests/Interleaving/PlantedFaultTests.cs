namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// Whether the explorer would find a fault: each of these is planted in the kernel's source, and must be found. A search that
/// finds nothing says something only if it finds these.
/// </summary>
[Collection(nameof(InterleavingTests))]
[Trait("Category", "Slow")]
public sealed class PlantedFaultTests
{
    // On a kernel with more steps than the one of InterleavingTests, and so beside theirs.
    private static readonly long CleanOfEach = LongTests.Wanted ? 7_000 : 200;

    public static TheoryData<string> Names => [.. PlantedFaults.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_explorer_finds_each_planted_fault(string fault)
    {
        PlantedFault planted = PlantedFaults.All[fault];
        // What a long run explores of the scenario has to show the fault. Most show within a short run, the rarest after some 12,000.
        (string? failure, long schedules) = PatchedKernel.Explore(planted.Patches, seed: 1, InterleavingTests.ManySchedules, planted.Scenario);
        Assert.True(failure is not null, $"not found in {schedules} schedules");
        TestContext.Current.TestOutputHelper?.WriteLine($"found after {schedules} schedules: {failure.Split('\n')[0]}");
    }

    [Fact]
    public void The_explorer_finds_no_fault_in_the_unchanged_kernel()
    {
        ulong seed = (ulong)Random.Shared.NextInt64();
        (string? failure, long schedules) = PatchedKernel.Explore([], seed, CleanOfEach);
        TestContext.Current.TestOutputHelper?.WriteLine($"{schedules} schedules, base seed {seed}");
        Assert.True(failure is null, failure);
    }

    [Fact]
    public void A_patch_whose_text_is_not_in_the_source_is_refused() =>
        Assert.Throws<InvalidOperationException>(static () => PatchedKernel.Explore([new Patch("Gate.cs", "not there", "")], seed: 1, schedules: 1));
}
