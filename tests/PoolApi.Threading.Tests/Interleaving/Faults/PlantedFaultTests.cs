namespace PoolApi.Threading.Tests.Interleaving.Faults;

/// <summary>
/// Checks that the explorer finds faults: each fault is planted in the kernel's source, and the explorer must find it. Without this, an
/// exploration that finds nothing proves nothing.
/// </summary>
[Collection(nameof(InterleavingTests))]
[Trait("Category", "Slow")]
public sealed class PlantedFaultTests
{
    // The compiled kernel has more steps than the one of InterleavingTests, so these schedules differ from theirs.
    private static readonly long CleanOfEach = LongTests.Wanted ? 7_000 : 200;

    public static TheoryData<string> Names => [.. PlantedFaults.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_explorer_finds_each_planted_fault(string fault)
    {
        PlantedFault planted = PlantedFaults.All[fault];
        // The schedules of a long run must show the fault. Most faults show within a short run, the rarest after some 12,000 schedules.
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
